"""
MPEG transport streams in: packets to tracks and samples.

    feed -> sync -> runs of packets -> Flow (one per PID) -> PES -> elementary stream -> samples
                                         PAT, PMT -> which flows there are

ISO/IEC 13818-1 §2.4. One program, the first of the PAT unless told otherwise. Tracks are announced when each stream
that we know has shown its configuration, or after `SETTLING` of media without those that stay silent. Never raises:
what is damaged is dropped, counted and reported as `DataLost`.
"""

from __future__ import annotations

from flussdvr.errors import FormatError
from flussdvr.formats.elementary import Stream, open_stream
from flussdvr.formats.mpegts_packet import (
    ADAPTATION,
    DISCONTINUITY,
    ERROR,
    HAS_PAYLOAD,
    NULL_PID,
    PACKET,
    PAT_PID,
    SCRAMBLING,
    START,
    SYNC,
    TICKS,
    find_sync,
    packet_rows,
    packet_runs,
    pid_word,
)
from flussdvr.formats.pes import WRAP, Clock, continues, parse_pes
from flussdvr.formats.psi import PAT_TABLE, PMT_TABLE, Framing, SectionReader, parse_pat, parse_pmt
from flussdvr.media import DataLost, MediaEvent, Sample, SamplesReceived, Track, TracksChanged

SETTLING = 2 * TICKS
HELD_MAX = 16 << 20
"""Bytes of samples kept back until the tracks are known."""
VIDEO_PES_MAX = 8 << 20
AUDIO_PES_MAX = 1 << 20
UNBOUNDED = 6 + 0x10000
"""More than any PES can say of itself."""
PARTS_MAX = 1 << 16
"""Of a PES: payloads can be empty, the memory to remember them is not."""
STREAMS_MAX = 16
BATCH = 700
"""Packets whose samples are reported together, about 130 kB: so tracks stay interleaved however much is fed."""

_PID = 0x00FF1F00
_PLAIN = HAS_PAYLOAD
_KIND = SCRAMBLING | ADAPTATION | HAS_PAYLOAD | ERROR | START


class Flow:
    """The packets of one PID: of tables (`sections`) or of an elementary stream (`stream`)."""

    __slots__ = ("expected", "is_open", "is_video", "parts", "pid", "sections", "size", "stream", "track", "wanted")

    def __init__(self, pid: int, stream: Stream | None = None, is_video: bool = False) -> None:
        self.pid = pid
        self.stream = stream
        self.is_video = is_video
        self.sections = None if stream else SectionReader()
        self.track: Track | None = None
        self.expected = -1
        self.parts: list[bytes] = []
        self.size = 0
        self.wanted = 0
        self.is_open = False

    def repeats(self, payload: bytes) -> bool:
        """Whether the last packet had this payload."""
        return not self.parts or payload.endswith(self.parts[-1][-len(payload) :])


class TsDemuxer:
    """
    Feed it a transport stream in pieces of any size. Track ids are PIDs.

    The counters only grow: `packets` that were read, `cc_errors` where packets are missing, `resyncs` when the sync
    byte was not at its place, `transport_errors` and `scrambled` packets, `duplicates`, `dropped_pes`.
    """

    def __init__(self, program: int | None = None) -> None:
        self.packets = 0
        self.cc_errors = 0
        self.resyncs = 0
        self.transport_errors = 0
        self.scrambled = 0
        self.duplicates = 0
        self.dropped_pes = 0
        self._program = program
        self._rest = b""
        self._synced = False
        self._flows = {pid_word(PAT_PID): Flow(PAT_PID)}
        self._chosen: tuple[int, int] | None = None
        self._streams: dict[tuple[int, Framing, str], Flow] = {}
        self._clock = Clock()
        self._settling = True
        self._settling_from: int | None = None
        self._announced: tuple[Track, ...] = ()
        self._held = 0
        self._samples: dict[int, list[Sample]] = {}
        self._losses: dict[str, int] = {}
        self._events: list[MediaEvent] = []

    def feed(self, data: bytes) -> list[MediaEvent]:
        """What these bytes complete, in order. What they begin is kept."""
        if self._rest:
            data = self._rest + data
        position, end = 0, len(data)
        while True:
            if not self._synced:
                position, self._synced = find_sync(data, position)
                if not self._synced:
                    break
            count = min((end - position) // PACKET, BATCH)
            if not count:
                break
            if position or not isinstance(data, bytes):
                batch = bytes(data[position : position + count * PACKET])
            else:
                batch = data
            position += self._read(batch, count) * PACKET
            self._report()
        self._rest = bytes(data[position:])
        return self._take_events()

    def flush(self) -> list[MediaEvent]:
        """The stream has ended: what is whole though nothing follows it."""
        rest, self._rest = self._rest, b""
        place = rest.find(b"\x47")
        if place >= 0 and (count := (len(rest) - place) // PACKET):
            self._read(rest[place:], count)
        self._synced = False
        for flow in self._streams.values():
            self._end(flow)
            flow.expected = -1
        if self._settling:
            self._announce()
        self._report()
        return self._take_events()

    def _take_events(self) -> list[MediaEvent]:
        events, self._events = self._events, []
        return events

    def _read(self, data: bytes, count: int) -> int:
        """Read packets from the beginning of `data`; how many, less than `count` when sync was lost behind them."""
        starts, words = packet_runs(data, count)
        rows = packet_rows(data, count)
        flows = self._flows
        starts.append(count)
        for index, word in enumerate(words):
            if word & 0xFF != SYNC:
                count = starts[index]
                self.resyncs += 1
                self._synced = False
                break
            flow = flows.get(word & _PID)
            if flow is None:
                continue
            begin, stop = starts[index], starts[index + 1]
            if word & _KIND != _PLAIN or word >> 24 & 15 != flow.expected or flow.sections is not None:
                for packet in range(begin, stop):
                    self._packet(flow, data, packet * PACKET)
                continue
            flow.expected = (flow.expected + stop - begin) & 15
            if flow.is_open:
                if stop - begin == 1:
                    flow.parts.append(data[begin * PACKET + 4 : stop * PACKET])
                else:
                    flow.parts.append(rows[begin:stop, 4:].tobytes())
                flow.size += (stop - begin) * (PACKET - 4)
                if flow.size >= flow.wanted:
                    self._filled(flow)
        self.packets += count
        return count

    def _packet(self, flow: Flow, data: bytes, at: int) -> None:
        """Any packet that is not just the continuation of what came before."""
        second, flags = data[at + 1], data[at + 3]
        if second & 0x80:
            self.transport_errors += 1
            self._damaged(flow, "transport error")
            return
        if flags & 0xC0:
            self.scrambled += 1
            self._damaged(flow, "scrambled")
            return
        begin, stop = at + 4, at + PACKET
        if flags & 0x20:
            begin = at + 5 + data[at + 4]
            if begin > stop:
                self.transport_errors += 1
                self._damaged(flow, "transport error")
                return
            if data[at + 4] and data[at + 5] & DISCONTINUITY:
                flow.expected = -1
        if not flags & 0x10:
            return
        payload = data[begin:stop]
        counter = flags & 15
        if counter != flow.expected and flow.expected >= 0:
            if counter == (flow.expected - 1) & 15 and flow.repeats(payload):
                self.duplicates += 1
                return
            self.cc_errors += 1
            self._damaged(flow, "packets missing")
        flow.expected = (counter + 1) & 15
        if flow.sections is not None:
            self._sections(flow, flow.sections, payload, bool(second & 0x40))
        elif second & 0x40:
            self._begin(flow, payload)
        elif flow.is_open:
            flow.parts.append(payload)
            flow.size += len(payload)
            if flow.size >= flow.wanted or len(flow.parts) > PARTS_MAX:
                self._filled(flow)

    def _damaged(self, flow: Flow, reason: str) -> None:
        """Packets of this flow are missing: what is being put together is lost, the next PES is not."""
        self._losses[reason] = self._losses.get(reason, 0) + 1
        flow.expected = -1
        if flow.sections is not None:
            flow.sections.lost()
        if flow.stream is not None:
            flow.stream.lost()
        if flow.is_open:
            self._drop(flow)

    def _drop(self, flow: Flow) -> None:
        self.dropped_pes += 1
        flow.is_open = False
        flow.parts = []

    # PES

    def _begin(self, flow: Flow, payload: bytes) -> None:
        """A PES packet begins."""
        if flow.is_video and flow.is_open and continues(payload):
            header = parse_pes(payload)
            if header is not None:
                flow.parts.append(payload[header.size :])
                flow.size += len(payload)
                return
        self._complete(flow)
        if not payload.startswith(b"\0\0\1"[: len(payload)]):
            self._losses["damaged"] = self._losses.get("damaged", 0) + 1
            self.dropped_pes += 1
            return
        flow.parts = [payload]
        flow.size = len(payload)
        flow.is_open = True
        # Video is not over with its PES: there may be more without a time.
        flow.wanted = VIDEO_PES_MAX if flow.is_video else AUDIO_PES_MAX
        if not flow.is_video and len(payload) >= 6 and (payload[4] or payload[5]):
            flow.wanted = 6 + (payload[4] << 8 | payload[5])
            if flow.size >= flow.wanted:
                self._filled(flow)

    def _filled(self, flow: Flow) -> None:
        """As many bytes as were wanted: the PES is whole, or has no end."""
        if flow.wanted >= UNBOUNDED:
            self._losses["PES without end"] = self._losses.get("PES without end", 0) + 1
            self._drop(flow)
        else:
            self._complete(flow)

    def _complete(self, flow: Flow) -> None:
        """Nothing more comes for this PES."""
        if not flow.is_open or flow.stream is None:
            return
        parts = flow.parts
        flow.is_open = False
        flow.parts = []
        if len(parts[0]) < 9 or len(parts[0]) < 9 + parts[0][8]:
            parts = [b"".join(parts)]
        header = parse_pes(parts[0])
        if header is None:
            self.dropped_pes += 1
            return
        if header.scrambled:
            self.scrambled += 1
            self._losses["scrambled"] = self._losses.get("scrambled", 0) + 1
            return
        parts[0] = parts[0][header.size :]
        payload = b"".join(parts)
        if header.length and not flow.is_video:
            payload = payload[: max(header.length - header.size, 0)]
        pts = dts = None
        if header.pts is not None and header.dts is not None:
            dts = self._clock.unwrap(header.dts)
            offset = (header.pts - header.dts) & (WRAP - 1)
            pts = dts + (offset if offset < WRAP >> 1 else offset - WRAP)
        try:
            samples = flow.stream.read(pts, dts, payload)
        except FormatError:
            self.dropped_pes += 1
            self._losses["damaged"] = self._losses.get("damaged", 0) + 1
            return
        if flow.stream.track is not flow.track:
            self._track_changed(flow, flow.stream.track)
        if samples:
            self._keep(flow.pid, samples)
        if self._settling and self._clock.last is not None:
            self._settle(self._clock.last)

    def _end(self, flow: Flow) -> None:
        """Nothing more comes in this flow."""
        self._complete(flow)
        if flow.stream is not None and flow.track is not None and (samples := flow.stream.flush()):
            self._keep(flow.pid, samples)

    # Tracks

    def _track_changed(self, flow: Flow, track: Track | None) -> None:
        if track == flow.track:
            flow.track = track
            return
        if self._settling:
            for sample in self._samples.pop(flow.pid, ()):
                self._held -= len(sample.data)
            flow.track = track
            if all(other.track for other in self._streams.values()):
                self._announce()
        else:
            flow.track = track
            self._announce()

    def _keep(self, pid: int, samples: list[Sample]) -> None:
        kept = self._samples.get(pid)
        if kept is None:
            self._samples[pid] = samples
        else:
            kept += samples
        if self._settling:
            self._held += sum(len(sample.data) for sample in samples)

    def _settle(self, dts: int) -> None:
        """The program does not wait for silent streams for ever."""
        if self._settling_from is None or dts < self._settling_from:
            self._settling_from = dts
        if dts - self._settling_from >= SETTLING or self._held > HELD_MAX:
            self._announce()

    def _announce(self) -> None:
        """Report the tracks that are known, behind the samples of those that were."""
        tracks = tuple(flow.track for flow in self._streams.values() if flow.track is not None)
        if not self._settling:
            self._report_samples()
        if not tracks:
            return
        if tracks != self._announced:
            self._announced = tracks
            self._events.append(TracksChanged(tracks))
        self._settling = False
        self._settling_from = None
        self._held = 0

    def _report(self) -> None:
        if not self._settling:
            self._report_samples()
        if self._losses:
            self._events += [DataLost(reason, count) for reason, count in self._losses.items()]
            self._losses = {}

    def _report_samples(self) -> None:
        if self._samples:
            self._events += [SamplesReceived(pid, samples) for pid, samples in self._samples.items()]
            self._samples = {}

    # Tables

    def _sections(self, flow: Flow, reader: SectionReader, payload: bytes, starts: bool) -> None:
        for section in reader.feed(payload, starts):
            try:
                if flow.pid == PAT_PID and section[0] == PAT_TABLE:
                    self._program_association(section)
                elif flow.pid != PAT_PID and section[0] == PMT_TABLE:
                    self._program_map(flow.pid, section)
            except FormatError:
                self._losses["damaged table"] = self._losses.get("damaged table", 0) + 1

    def _program_association(self, section: bytes) -> None:
        programs = [entry for entry in parse_pat(section).programs if 0 < entry[1] < NULL_PID]
        if self._program is not None:
            programs = [entry for entry in programs if entry[0] == self._program]
        if not programs or self._chosen in programs:
            return
        chosen = next((entry for entry in programs if self._chosen and entry[0] == self._chosen[0]), programs[0])
        if self._chosen is not None:
            self._flows.pop(pid_word(self._chosen[1]), None)
        self._chosen = chosen
        self._flows[pid_word(chosen[1])] = Flow(chosen[1])

    def _program_map(self, pid: int, section: bytes) -> None:
        pmt = parse_pmt(section)
        if self._chosen != (pmt.program_number, pid):
            return
        wanted: dict[tuple[int, Framing, str], Flow] = {}
        pids = {PAT_PID, pid, NULL_PID}
        for entry in pmt.streams:
            if entry.framing is None or entry.pid in pids or len(wanted) == STREAMS_MAX:
                continue
            pids.add(entry.pid)
            key = entry.pid, entry.framing, entry.language
            wanted[key] = self._streams.get(key) or Flow(entry.pid, open_stream(*key), entry.framing.is_video)
        for key, flow in self._streams.items():
            if key not in wanted:
                self._end(flow)
                del self._flows[pid_word(flow.pid)]
        if not self._settling:
            self._report_samples()
        self._streams = wanted
        self._flows.update({pid_word(flow.pid): flow for flow in wanted.values()})
        self._samples = {flow.pid: self._samples[flow.pid] for flow in wanted.values() if flow.pid in self._samples}
        if any(flow.track is None for flow in wanted.values()):
            self._settling = True
            self._settling_from = None
        else:
            self._announce()
