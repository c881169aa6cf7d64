"""
MP4 files of what is recorded, made from one blob after the other: in the CPU worker, and no table of one is kept.

    Single   one file
    Split    a tar of files, a new one after each change of tracks, codecs or their parameters
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flussdvr.body.body import Body, Extent
from flussdvr.body.file import BodyFile
from flussdvr.errors import DvrError, FormatError, Kind
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.progressive import Mp4Builder, Piece
from flussdvr.playback.files.split import configuration, tar
from flussdvr.playback.selection import Selection, selected
from flussdvr.playback.sources import no_recordings
from flussdvr.timeline import Range

if TYPE_CHECKING:
    from flussdvr.formats.mp4.ilst import Metadata

__all__ = ["Part", "Single", "Split"]


@dataclass(frozen=True, slots=True)
class Part:
    """Fragments `[first, stop)` of the blob `file`; `again` reads its table in a thread of the file's worker."""

    file: BodyFile
    again: Callable[[], FragmentTable]
    table: FragmentTable
    first: int
    stop: int


class Single:
    """One file of the `selection` of tracks, all if `None`. `held`: memory that the head of it is made of."""

    def __init__(
        self, window: Range, selection: Selection | None, keep_gaps: bool, metadata: Metadata | None = None
    ) -> None:
        self._selection = selection
        self._builder = Mp4Builder(window, gaps="keep" if keep_gaps else "skip", metadata=metadata)
        self._files: list[BodyFile] = []
        self._found = False
        self.held = 0

    def add(self, part: Part) -> None:
        """Raises `DvrError` CORRUPT."""
        tracks = selected(part.table.tracks, self._selection)
        self._found = self._found or bool(tracks)
        self._files.append(part.file)
        with _corrupt():
            piece = Piece(part.table, part.first, part.stop, again=part.again, place=part.file)
            self._builder.add(piece, {track.id for track in tracks})

    def finish(self) -> Body:
        """Raises `DvrError` NOT_FOUND, CORRUPT."""
        return self.dated()[1]

    def dated(self) -> tuple[int, Body]:
        """When it begins, and the file. Raises `DvrError` NOT_FOUND, CORRUPT."""
        if self._files and not self._found:
            raise no_such_tracks()
        with _corrupt():
            result = self._builder.finish()
        self.held = result.held
        parts = result.body(lambda number, at, length: Extent(self._files[number], at, length))
        return result.begin_ms, Body(tuple(parts))


class Split:
    """As `Single`."""

    def __init__(self, window: Range, selection: Selection | None, keep_gaps: bool) -> None:
        self._window = window
        self._selection = selection
        self._keep_gaps = keep_gaps
        self._configuration: tuple[bytes, ...] = ()
        self._file: Single | None = None
        self._files: list[tuple[int, Body]] = []
        self._found = False
        self.held = 0

    def add(self, part: Part) -> None:
        """Raises `DvrError` CORRUPT."""
        tracks = selected(part.table.tracks, self._selection)
        self._found = self._found or bool(tracks)
        own = configuration(tracks)
        if self._file is None or own != self._configuration:
            self._end()
            self._file, self._configuration = Single(self._window, self._selection, self._keep_gaps), own
        self._file.add(part)

    def finish(self) -> Body:
        """Raises `DvrError` NOT_FOUND, CORRUPT."""
        self._end()
        if not self._files:
            raise no_recordings() if self._found else no_such_tracks()
        return tar(self._files)

    def _end(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                self._files.append(file.dated())
                self.held += file.held
        except DvrError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise  # else: looked at, but nothing of it is shown in the window


def no_such_tracks() -> DvrError:
    return DvrError(Kind.NOT_FOUND, "no_such_tracks", "the stream has none of these tracks")


@contextmanager
def _corrupt() -> Iterator[None]:
    """Turns what an index that contradicts itself raises into a `DvrError`."""
    try:
        yield
    except FormatError as error:
        raise DvrError(Kind.CORRUPT, "corrupt_recording", f"the recording cannot be read: {error}") from None
