"""Exports to an object store, as an administrator orders them; the store is another program's."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from flussdvr.body.body import Body, Extent
from flussdvr.body.file import file_at
from flussdvr.config.export_root import read_bucket
from flussdvr.errors import DvrError
from flussdvr.export.exporter import Canceled
from flussdvr.objects.s3 import ObjectStore
from tests.integration.lab.curl import Api, curl
from tests.integration.lab.server import Server
from tests.integration.lab.store import KEY, SECRET, Store
from tests.integration.lab.wait import until
from tests.integration.lab.watch import pictures

FPS = 10


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store").start()
    yield store
    store.stop()


def test_exports_to_an_object_store(serve: Callable[..., Server], store: Store, tmp_path: Path) -> None:
    closed = socket.socket()  # bound, so that nobody else listens there
    closed.bind(("127.0.0.1", 0))
    silent = closed.getsockname()[1]
    roots = [
        store.root("of/cam"),
        store.root("x", bucket="none"),
        store.root("wrong", secret="wrong"),
        f"s3://{KEY}:{SECRET}@127.0.0.1:{silent}/bucket",
    ]
    log = tmp_path / "events.log"
    settings = "".join(f"export_root {root};\n" for root in roots) + f"event_sink all {{ url jsonlog://{log}; }}"
    server = serve(f"stream cam {{ input fake://?size=160x120&fps={FPS}; dvr @main; }}", settings=settings)
    api = Api(server.http)
    begin = int(server.wait_recorded("cam", 4)[0][0]) + 1

    def export(path: str) -> tuple[int, str | None]:
        query = f"from={begin}&duration=2"
        answer = curl(
            "-X", "POST", "-G", "--data-urlencode", f"path={path}", f"{api.url}/streams/cam/dvr/export?{query}"
        )
        return answer.status, None if answer.status == 200 else answer.json["errors"][0]["code"]

    # At once: with the credentials as the vendor writes them, or without. What can be played is what was recorded.
    path = store.url("of/cam/a/at once.mp4")
    assert export(path.replace("s3://", f"s3://{KEY}:{SECRET}@")) == (200, None)
    shown = [picture.utc_s for picture in pictures(str(store.folder / "bucket/of/cam/a/at once.mp4"), FPS)]
    served = [picture.utc_s for picture in pictures(server.url(f"/cam/archive-{begin}-2.mp4"), FPS)]
    assert shown == served and shown[0] is not None and shown[-1] is not None
    assert begin <= shown[0] < shown[-1] < begin + 2
    assert export(path) == (409, "file_exists")
    assert export(f"{server.folder}/exports/x.mp4") == (200, None)

    # Nowhere else, and with nobody else's key.
    for other in (
        store.url("of/x.mp4"),
        store.url("of/cam/../x.mp4"),
        store.url("of/cam/x.mp4", bucket="other"),
        f"s3://127.0.0.1:{silent + 1}/bucket/of/cam/x.mp4",
        store.url("of/cam/x.mp4").replace("s3://", f"s3://{KEY}:guessed@"),
    ):
        assert export(other) == (403, "path_not_permitted"), other
    assert export(store.url("wrong/x.mp4")) == (403, "store_denied")
    assert export(store.url("x/x.mp4", bucket="none")) == (404, "bucket_not_found")
    assert export(f"s3://{KEY}:{SECRET}@127.0.0.1:{silent}/bucket/x.mp4") == (503, "store_unreachable")

    # In the background; what was running when the server was killed has succeeded, or failed and left nothing.
    def order(name: str) -> dict[str, Any]:
        path = store.root(f"of/cam/{name}.mp4")
        return {"name": "cam", "from": begin * 1000, "duration": 2000, "path": path}

    def ended(id: str) -> dict[str, Any]:
        return until(
            "it happens", lambda: (found := api.get(f"/dvr_export_jobs/{id}"))["status"] != "running" and found
        )

    assert api("PUT", "/dvr_export_jobs/one", order("job")).json["path"] == store.url("of/cam/job.mp4")
    assert (ended("one")["status"], ended("one")["progress"]) == ("succeeded", 100)
    assert api("PUT", "/dvr_export_jobs/two", order("killed")).status == 200
    server.kill()
    server.start()
    api = Api(server.http)
    two = ended("two")
    names = ["bucket/of/cam/a/at once.mp4", "bucket/of/cam/job.mp4"]
    if two["status"] == "succeeded":
        names.append("bucket/of/cam/killed.mp4")
    else:
        assert two["error"] == "interrupted"
    assert store.objects() == names

    # What is told, and what never.
    assert api.get("/config")["export_roots"][1] == store.url("of/cam")
    text = curl("-H", "Accept: text/plain", f"{api.url}/config").body
    assert b"export_root" in text and b"OFTHESTORE" not in text.replace(KEY.encode(), b"")
    until("it happens", lambda: '"server_started"' in log.read_text())
    finished = [event for event in map(json.loads, log.read_text().splitlines()) if "export" in event["event"]]
    assert (finished[0]["path"], finished[0]["status"]) == (path, "succeeded")
    assert "store_denied" in [event["error"] for event in finished]
    closed.close()
    said = [json.dumps(api.get("/dvr_export_jobs")), log.read_text(), server.log.read_text()]
    assert not [one for one in said if "OFTHESTORE" in one or "guessed" in one]


def test_large_objects_are_sent_in_parts(store: Store, tmp_path: Path) -> None:
    """Parts are as small as stores permit."""
    film = os.urandom(12 << 20)
    (tmp_path / "film").write_bytes(film)
    body = Body((b"head", Extent(file_at(str(tmp_path / "film")), 0, len(film))))
    bucket = read_bucket(store.root("of"))

    def copied(done: int, total: int) -> None:
        if done:
            raise Canceled

    options: dict[str, Any] = {"single": 1 << 20, "part": 5 << 20}
    with ObjectStore(bucket, Event(), **options) as one, ObjectStore(bucket, Event(), copied, **options) as other:
        one.upload(body, "of/x.mp4")
        with pytest.raises(DvrError, match="file_exists"):
            one.upload(body, "of/x.mp4")
        with pytest.raises(Canceled):
            other.upload(body, "of/y.mp4")
        one._do("create_multipart_upload", Key="of/y.mp4")  # and then the process is killed
        one.give_up("of/y.mp4")
        assert "Uploads" not in one._do("list_multipart_uploads")
        assert (store.folder / "bucket/of/x.mp4").read_bytes() == b"head" + film
        assert store.objects() == ["bucket/of/x.mp4"]
