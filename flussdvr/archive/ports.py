"""
What live, playback and control ask of recordings, whoever keeps them: this machine's disks today.

    Recordings      every stream's, by name
    StreamArchive   one stream's: its ranges, its blobs, their tables and files
    Recorder        what a running stream is recorded by

All of it belongs to the reactor thread, and answers from memory unless it is to be awaited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from flussdvr.timeline import Range, RangeSet

if TYPE_CHECKING:
    from flussdvr.archive.disk.blob import Blob
    from flussdvr.archive.misdated import Aside
    from flussdvr.body.file import BodyFile
    from flussdvr.formats.mp4.fragment_table import FragmentTable


class Fragment(Protocol):
    """What of a live fragment is recorded: see `live.fragment.LiveFragment`."""

    @property
    def data(self) -> bytes: ...
    @property
    def head_size(self) -> int: ...
    @property
    def begin_ms(self) -> int: ...
    @property
    def end_ms(self) -> int: ...
    @property
    def sync(self) -> bool: ...


F = TypeVar("F", bound=Fragment, contravariant=True)


class Recorder(Protocol[F]):
    """Takes one stream's fragments. Nothing here waits for a disk, or raises."""

    def opens_blob(self, fragment: F, init: bytes, segment_ms: int) -> bool:
        """Whether a blob would begin with this fragment."""
        ...

    def write(self, fragment: F, init: bytes, segment_ms: int, sequence: int) -> None:
        """Record a fragment; `sequence`: the media sequence number of the segment that it belongs to."""
        ...

    def gap(self, reason: str) -> None:
        """What comes next does not follow what came before."""
        ...


class ClosingRecorder(Recorder[F], Protocol[F]):
    """A recorder as its owner sees it."""

    async def close(self) -> None:
        """Returns when all that came in is written."""
        ...


class DvrPolicy(Protocol):
    """How a stream is recorded and how long it is kept: what of `config.DvrSettings` an archive needs."""

    @property
    def root(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def expiration_s(self) -> int | None: ...
    @property
    def storage_limit(self) -> int | None: ...
    @property
    def disk_usage_limit(self) -> int | None: ...
    @property
    def sync_interval_s(self) -> int: ...


class StreamArchive(Protocol):
    """What is recorded of one stream. UTC milliseconds."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """Bytes that it takes, indexes included."""
        ...

    @property
    def locks(self) -> RangeSet:
        """Ranges that expiry leaves alone; not to be changed here."""
        ...

    @property
    def discontinuity(self) -> int:
        """The highest number of a discontinuity that any blob has had; it outlives the blob."""
        ...

    @property
    def additions(self) -> int:
        """How often blobs were listed: the same as long as there is nothing new to be looked at."""
        ...

    @property
    def trims(self) -> int:
        """How often parts of blobs were deleted."""
        ...

    @property
    def misdated(self) -> Mapping[Blob, Aside]:
        """What is set aside: kept, and not listed."""
        ...

    @property
    def bounds(self) -> Range | None:
        """From the first moment recorded to the last."""
        ...

    @property
    def end_ms(self) -> int:
        """End of what is recorded; 0 if nothing is."""
        ...

    def __len__(self) -> int:
        """How many blobs are listed. One without any is true all the same."""
        ...

    def __bool__(self) -> bool: ...

    def ranges(self, within: Range | None = None) -> RangeSet:
        """What is recorded, all or `within` a range; O(log n + ranges in the answer)."""
        ...

    def overlapping(self, window: Range) -> RangeSet:
        """What is recorded that overlaps the window, whole; O(log n + ranges in the answer)."""
        ...

    def gaps(self, within: Range | None = None) -> list[tuple[Range, str]]:
        """What is missing between the recorded ranges, and why; all, or those that overlap `within`, whole."""
        ...

    def blobs(self, within: Range | None = None) -> list[Blob]:
        """The blobs that have a part `within` the range, in order; all for `None`."""
        ...

    def blob_before(self, utc_ms: int) -> Blob | None:
        """The last one that begins before `utc_ms`."""
        ...

    def onward(self, utc_ms: int) -> Iterator[Blob]:
        """The blobs that end after `utc_ms`, in order; the list may change meanwhile."""
        ...

    async def table(self, blob: Blob, keep: bool = True) -> FragmentTable:
        """
        The blob's fragments, at least as far as they are listed now. It may grow, in the reactor thread. Without
        `keep`, that of a closed blob is not kept: for those who look at many once.

        DvrError NOT_FOUND if the blob has gone, CORRUPT, UNAVAILABLE.
        """
        ...

    def reading_again(self, blob: Blob) -> Callable[[], FragmentTable]:
        """
        What reads the table of all fragments that the blob has then: in a thread of the worker of `file(blob)`. It
        raises as `table`.
        """
        ...

    def file(self, blob: Blob, suffix: str = ".mp4") -> BodyFile:
        """The recording itself, or another of the blob's files (`SUFFIXES`); it need not be there."""
        ...

    def subscribe(self, subscriber: Callable[[Blob], None]) -> Callable[[], None]:
        """Call `subscriber` with each blob that has grown or been closed; the result ends that."""
        ...


class Recordings(Protocol):
    """The recordings of all streams."""

    def streams(self) -> Iterable[str]:
        """The names of all streams that have recordings."""
        ...

    def stream(self, name: str) -> StreamArchive | None:
        """What is recorded of a stream; `None` if nothing ever was and nothing records it."""
        ...

    def recorder(self, name: str, settings: DvrPolicy) -> ClosingRecorder[Fragment]:
        """The one writer of a stream. DvrError CONFLICT while another is not closed."""
        ...

    def set_aside_future(self, name: str) -> None:
        """What is recorded of a stream ends in the future, which no clock explains: it is not listed any more."""
        ...
