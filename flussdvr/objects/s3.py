"""
Objects in a store that speaks S3.

    body --PUT-------------------------------------------------------------------> object --HEAD--> it is there, whole
         --CreateMultipartUpload, UploadPart ... CompleteMultipartUpload (large)->

A store shows an object when all of it is there, so none is ever half. None is replaced: HEAD before, and
`If-None-Match` for the stores that know it. An upload that is given up is taken back.

The protocol (signatures, XML, the stores' peculiarities) is botocore's; what is tried again and how long is decided
here, because a canceled export must not wait for it. Everything blocks: for a worker thread. botocore takes half a
second to load, and is loaded with the first export that needs it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from threading import Event, Lock
from types import TracebackType
from typing import Any
from uuid import uuid4

from twisted.logger import Logger

from flussdvr.body.body import Body
from flussdvr.body.seekable import SeekableBody
from flussdvr.config.model import Bucket
from flussdvr.errors import DvrError, Kind

SINGLE = 64 << 20
"""Larger bodies are sent in parts."""
PART = 16 << 20
MAX_PARTS = 10_000
RETRY_DELAYS_S = (1, 2, 4, 8, 15, 30)
"""Seconds between attempts: a store that restarts does not end an upload of hours."""
QUICK_RETRY_DELAYS_S = (0.5,)
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 60

MARK = "flussdvr-export"
"""Metadata by which an upload knows its object again: the answer to its last call may have been lost."""
_BUSY = {408, 429, 500, 502, 503, 504}
_TAKEN = {("PreconditionFailed", 412), ("ConditionalRequestConflict", 409)}
_LOADING = Lock()


class StoreError(DvrError):
    """`answer` is the store's own word for it, or empty; `transient` that another attempt may succeed."""

    def __init__(self, kind: Kind, code: str, title: str, answer: str = "", transient: bool = False) -> None:
        super().__init__(kind, code, title, {"parameter": "path"})
        self.answer = answer
        self.transient = transient


class ObjectStore:
    """
    One bucket, for one thread. `copied(done, total)` is told how far an upload is, all the time, and may raise to stop
    it; so does `ending`. `part` is the least size of parts.
    """

    log = Logger()

    def __init__(
        self,
        bucket: Bucket,
        ending: Event,
        copied: Callable[[int, int], None] = lambda done, total: None,
        single: int = SINGLE,
        part: int = PART,
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
    ) -> None:
        self.bucket = bucket
        self._ending = ending
        self._copied = copied
        self._single = single
        self._part = part
        self._retry_delays_s = retry_delays_s
        self._progress = 0, 0
        self._client = _client(bucket)

    def __enter__(self) -> ObjectStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def check(self, key: str) -> None:
        """Whether there may be an upload. StoreError: CONFLICT if there is an object, DENIED, UNAVAILABLE."""
        if self.size(key) is not None:
            raise self._taken(key)

    def size(self, key: str) -> int | None:
        """Of an object; `None` where there is none. StoreError."""
        found = self._look(key)
        return None if found is None else int(found["ContentLength"])

    def upload(self, body: Body, key: str) -> None:
        """
        All of it, or nothing. `DvrError` CONFLICT where there is one, DENIED, UNAVAILABLE, NO_SPACE, NOT_FOUND for the
        bucket and for recordings that have been deleted meanwhile; what `copied` raises.
        """
        mark = str(uuid4())
        self._progress = 0, len(body)
        self._report()
        about = {"Key": key, "ContentType": "video/mp4", "Metadata": {MARK: mark}}
        if len(body) <= self._single:
            with SeekableBody(body, self._report) as file:
                self._appear("put_object", mark, len(body), Body=file, **about)
        else:
            self._upload_parts(body, mark, about)
        found = self._look(key)
        if found is None or found["ContentLength"] != len(body) or _mark(found) not in (mark, None):
            raise self._problem("is not what was sent", "store_failed")
        self._progress = len(body), len(body)
        self._report()

    def give_up(self, key: str) -> None:
        """Take back what a server that was killed has left of an upload, as far as the store can."""
        try:
            found = self._do("list_multipart_uploads", QUICK_RETRY_DELAYS_S, Prefix=key).get("Uploads", ())
        except DvrError as error:
            self._left(key, error)
            return
        for upload in found:
            if upload["Key"] == key:
                self._take_back(key, upload["UploadId"])

    # -- how it is sent

    def _upload_parts(self, body: Body, mark: str, about: dict[str, Any]) -> None:
        key, total = about["Key"], len(body)
        size = max(self._part, -(-total // MAX_PARTS))
        id = self._do("create_multipart_upload", **about)["UploadId"]
        try:
            parts: list[dict[str, Any]] = []
            for start in range(0, total, size):
                number = len(parts) + 1
                with SeekableBody(body.slice(start, start + size), self._report) as file:
                    sent = self._do("upload_part", Key=key, UploadId=id, PartNumber=number, Body=file)
                parts.append({"PartNumber": number, "ETag": sent["ETag"]})
                self._progress = min(start + size, total), total
                self._report()
            whole = {"Parts": parts}
            self._appear("complete_multipart_upload", mark, total, Key=key, UploadId=id, MultipartUpload=whole)
        except BaseException:
            self._take_back(key, id)
            raise

    def _take_back(self, key: str, id: str) -> None:
        try:
            self._do("abort_multipart_upload", QUICK_RETRY_DELAYS_S, Key=key, UploadId=id)
        except DvrError as error:
            self._left(key, error)

    def _left(self, key: str, error: DvrError) -> None:
        if error.code != "upload_gone":
            self.log.warn(
                "parts of {key} may be left in {bucket}: {error}", key=key, bucket=self.bucket.url, error=error
            )

    def _appear(self, operation: str, mark: str, size: int, **about: Any) -> None:
        """The call after which there is an object."""
        key = about["Key"]
        self.check(key)
        try:
            try:
                self._do(operation, IfNoneMatch="*", **about)
            except StoreError as error:
                if error.answer != "NotImplemented":
                    raise
                self._do(operation, **about)
        except StoreError:
            if not self._ours(key, mark, size):
                raise

    def _ours(self, key: str, mark: str, size: int) -> bool:
        """Whether the call has succeeded and only its answer was lost."""
        try:
            found = self._look(key)
        except DvrError:
            return False
        return found is not None and _mark(found) == mark and found["ContentLength"] == size

    def _look(self, key: str) -> Any | None:
        try:
            return self._do("head_object", QUICK_RETRY_DELAYS_S, Key=key)
        except StoreError as error:
            if error.answer == "404":
                return None
            raise

    def _report(self) -> None:
        if self._ending.is_set():
            raise DvrError(Kind.UNAVAILABLE, "interrupted", "the server ends")
        self._copied(*self._progress)

    # -- one call

    def _do(self, operation: str, waits: Sequence[float] | None = None, **about: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        file = about.get("Body")
        for wait in (*(self._retry_delays_s if waits is None else waits), None):
            if file is not None:
                file.seek(0)
            try:
                return getattr(self._client, operation)(Bucket=self.bucket.name, **about)
            except (BotoCoreError, ClientError) as error:
                if file is not None and file.failure is not None:
                    raise file.failure from None
                problem = self._answer(error, about) if isinstance(error, ClientError) else self._silence(error)
            if wait is None or not problem.transient:
                raise problem
            self.log.debug("{error}; again in {wait} s", error=problem, wait=wait)
            self._rest(wait * random.uniform(0.5, 1), heeding=waits is None)
        raise AssertionError

    def _rest(self, seconds: float, heeding: bool) -> None:
        while seconds > 0:
            self._ending.wait(min(1, seconds))
            if heeding:
                self._report()
            seconds -= 1

    def _answer(self, error: Any, about: dict[str, Any]) -> StoreError:
        answer = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        said = answer if answer == str(status) else f"{status} {answer}".strip()
        if (answer, status) in _TAKEN:
            return self._taken(about["Key"], answer)
        if answer == "NoSuchBucket":
            return self._problem("does not exist", "bucket_not_found", answer, Kind.NOT_FOUND)
        if answer == "NoSuchUpload":
            return self._problem("does not know the upload any more", "upload_gone", answer)
        if status in (401, 403):
            return self._problem(f"does not let export_root's key write: {said}", "store_denied", answer, Kind.DENIED)
        if status == 507:
            return self._problem(f"is full: the store says {said}", "no_space", answer, Kind.NO_SPACE)
        busy = status in _BUSY or answer in ("RequestTimeout", "SlowDown")
        code = "store_unreachable" if busy else "store_failed"
        return self._problem(f"cannot be written to: the store says {said}", code, answer, transient=busy)

    def _silence(self, error: BaseException) -> StoreError:
        from botocore.exceptions import ConnectionError, HTTPClientError

        silent = isinstance(error, ConnectionError | HTTPClientError)
        code = "store_unreachable" if silent else "store_failed"
        return self._problem(f"cannot be reached: {_reason(error)}", code, transient=silent)

    def _taken(self, key: str, answer: str = "") -> StoreError:
        title = f"{self.bucket.url}/{key} exists, and is left as it is"
        return StoreError(Kind.CONFLICT, "file_exists", title, answer)

    def _problem(
        self, what: str, code: str, answer: str = "", kind: Kind = Kind.UNAVAILABLE, transient: bool = False
    ) -> StoreError:
        return StoreError(kind, code, f"{self.bucket.url} {what}", answer, transient)


def _mark(found: Any) -> str | None:
    """Some stores change the case of names."""
    metadata = {name.lower(): value for name, value in found.get("Metadata", {}).items()}
    mark: str | None = metadata.get(MARK)
    return mark


def _reason(error: BaseException) -> str:
    """What the system says ("Connection refused"), from under what the libraries make of it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


@cache
def _session() -> Any:
    from botocore.session import Session

    return Session()


def _client(bucket: Bucket) -> Any:
    from botocore.config import Config

    with _LOADING:
        return _session().create_client(
            "s3",
            endpoint_url=bucket.endpoint,
            aws_access_key_id=bucket.key,
            aws_secret_access_key=bucket.secret,
            region_name=bucket.region,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                retries={"total_max_attempts": 1},
                # Stores that are not Amazon's refuse the newer checksums; each part's SHA-256 is signed anyway.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
