# -*- test-case-name: tests.events.test_event_schema -*-
"""Events of the archive: blobs, storage roots, pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from flussdvr.events.types.event import Event

DeletionReason = Literal[
    "expiration", "storage_limit", "disk_usage_limit", "disk_full", "deleted", "unfinished", "redated"
]
"""Why recordings are deleted; "unfinished": an earlier process had begun it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrNewFragment(Event):
    """
    A fragment is recorded. `path`: the storage root. `utc` (s) and `begin_ms`: where it begins. `duration`: ms.
    """

    event: ClassVar[str] = "dvr_new_fragment"
    media: str
    path: str
    utc: int
    begin_ms: int
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrDeletedFragments(Event):
    """Fragments of one blob are deleted. `path`: the storage root. `utcs` (s): where each of them began."""

    event: ClassVar[str] = "dvr_deleted_fragments"
    media: str
    path: str
    utcs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrBlobClosed(Event):
    """A file of the archive is complete. `path`: the storage root; `size`: bytes."""

    event: ClassVar[str] = "dvr_blob_closed"
    media: str
    path: str
    begin_ms: int
    duration_ms: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrBlobDeleted(Event):
    """
    A blob, or a part of one, is deleted.

    `blob`: the file. `path`: the storage root. `disk_size`: bytes that became free. `reason_text`: the reason as a
    sentence.
    """

    event: ClassVar[str] = "dvr_blob_deleted"
    media: str
    blob: str
    path: str
    disk_size: int
    reason: DeletionReason
    reason_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrDropWrite(Event):
    """The disk is too slow, a gap begins. `begin_ms`, `duration` (ms): of the first fragment that is dropped."""

    event: ClassVar[str] = "dvr_drop_write"
    media: str
    path: str
    reason: Literal["disk"] = "disk"
    begin_ms: int
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrWriteFailed(Event):
    """A stream is not recorded any more. `path`: the storage root; `reason`: a word; `error`: a sentence."""

    event: ClassVar[str] = "dvr_write_failed"
    media: str
    path: str
    reason: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrWriteResumed(Event):
    """A stream is recorded again. `path`: the storage root."""

    event: ClassVar[str] = "dvr_write_resumed"
    media: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrRootFailed(Event):
    """A storage root can't be used. `reason`: a word; `error`: a sentence."""

    event: ClassVar[str] = "dvr_root_failed"
    path: str
    reason: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrRootRecovered(Event):
    """A storage root can be used again."""

    event: ClassVar[str] = "dvr_root_recovered"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrDeletionFailed(Event):
    """
    Nothing can be deleted on a storage root now; it is tried again later.

    `path`: the storage root; empty: all, as the catalog fails. `reason`: a word; `error`: a sentence.
    """

    event: ClassVar[str] = "dvr_deletion_failed"
    path: str
    reason: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrDeletionResumed(Event):
    """Deletions work again. `path`: the storage root; empty: all."""

    event: ClassVar[str] = "dvr_deletion_resumed"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrStreamInUse(Event):
    """
    Nothing of a stream is deleted on a storage root, as another process has its directory there.

    `path`: the storage root; `error`: a sentence: who has it.
    """

    event: ClassVar[str] = "dvr_stream_in_use"
    media: str
    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrLocksDamaged(Event):
    """
    The file with a stream's locks made no sense when it was replaced; it is kept.

    `path`: the storage root; `kept`: where the damaged file is now; `error`: what is wrong with it.
    """

    event: ClassVar[str] = "dvr_locks_damaged"
    media: str
    path: str
    kept: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrRootImported(Event):
    """
    Recordings were found on a storage root, or are missing there, without the server's doing; or something is none.

    `path`: the storage root. `found`, `gone`: recordings that the catalog did not know, and that are not there any
    more. `skipped`: things that are no recordings; `reasons`: the first of them.
    """

    event: ClassVar[str] = "dvr_root_imported"
    path: str
    found: int
    gone: int
    skipped: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DvrMisdated(Event):
    """
    A recording's date was found to be wrong: it is set aside, and kept.

    `path`: the storage root. `shift_ms`: what to add to the date; None: unknown.
    """

    event: ClassVar[str] = "dvr_misdated"
    media: str
    path: str
    begin_ms: int
    duration_ms: int
    shift_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbnailFailed(Event):
    """
    There is no picture.

    `reason`: a word. `begin_ms`: of what; not for a camera's own pictures. `error`: a sentence, for those.
    """

    event: ClassVar[str] = "thumbnail_failed"
    media: str
    reason: str
    error: str | None = None
    begin_ms: int | None = None
