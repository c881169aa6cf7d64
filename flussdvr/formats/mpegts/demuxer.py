"""
MPEG transport streams in: packets to tracks and samples.

    feed -> sync -> runs of packets -> Flow (one per PID) -> PES -> elementary stream -> samples
                                         PAT, PMT -> which flows there are

ISO/IEC 13818-1 §2.4. One program: see `programs`; what came before it was chosen is read then (`backlog`). Packets of
188, 192 or 204 bytes. Tracks are announced when each stream that we know has shown its configuration, or after
`SETTLING` of media without those that stay silent. What the program has and we do not record is reported as
`TracksLeftOut`, what its multiplex says of the time as `TimeAndDate`. Never raises: what is damaged is dropped, counted
and reported as `DataLost`.
"""

from __future__ import annotations

from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.backlog import Backlog
from flussdvr.formats.mpegts.elementary import Stream, open_stream
from flussdvr.formats.mpegts.packet import (
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
    is_stuffed,
    packet_rows,
    packet_runs,
    pid_word,
)
from flussdvr.formats.mpegts.packet_size import LONGEST_SEARCH, SEARCH_AFTER, LongPackets, find_long_packets
from flussdvr.formats.mpegts.pes import WRAP, Clock, PesHeader, parse_pes
from flussdvr.formats.mpegts.programs import Program, Programs, recordable
from flussdvr.formats.mpegts.psi import (
    PAT_TABLE,
    PMT_TABLE,
    ElementaryStream,
    ProgramMap,
    SectionReader,
    parse_pat,
    parse_pmt,
    with_registrations,
)
from flussdvr.formats.mpegts.stream_types import Framing
from flussdvr.formats.mpegts.time_and_date import TIME_PID, TimeReader
from flussdvr.formats.mpegts.video_stream import Batch
from flussdvr.media import (
    NOT_STORED,
    DataLost,
    LeftOut,
    MediaEvent,
    Sample,
    SamplesReceived,
    TimeAndDate,
    Track,
    TracksChanged,
    TracksLeftOut,
)

SETTLING = 2 * TICKS
QUIET = TICKS
"""Packets of one picture are not further apart than this."""
HELD_MAX = 16 << 20
"""Bytes of samples kept back until the tracks are known."""
VIDEO_PES_MAX = 8 << 20
AUDIO_PES_MAX = 1 << 20
UNBOUNDED = 6 + 0x10000
"""More than any PES can say of itself."""
PARTS_MAX = 1 << 16
"""Of a PES: payloads can be empty, the memory to remember them is not."""
STREAMS_MAX = 16
UNREAD_MAX = 8
"""PES packets without anything that can be read, after which that is said."""
LOOKED_MAX = 32
"""PIDs on which PMTs are looked for at the same time."""
BATCH = 700
"""Packets whose samples are reported together, about 130 kB: so tracks stay interleaved however much is fed."""

_PID = 0x00FF1F00
_PLAIN = HAS_PAYLOAD
_KIND = SCRAMBLING | ADAPTATION | HAS_PAYLOAD | ERROR | START


class Flow:
    """
    The packets of one PID: of tables (`sections`) or of an elementary stream (`stream`).

    A `probe` is of a program that is not chosen yet: it only says that something comes. `seen` PES packets have come.
    `quiet_since`: DTS of another stream when `quiet_size` bytes of the open PES had come, and no more since.
    """

    __slots__ = (
        "expected",
        "header",
        "is_open",
        "is_video",
        "padded",
        "pads_inside",
        "parts",
        "pid",
        "probe",
        "quiet_since",
        "quiet_size",
        "sections",
        "seen",
        "size",
        "stream",
        "track",
        "wanted",
    )

    def __init__(self, pid: int, stream: Stream | None = None, is_video: bool = False, probe: bool = False) -> None:
        self.pid = pid
        self.probe = probe
        self.seen = 0
        self.stream = stream
        self.is_video = is_video
        self.sections = None if stream else SectionReader()
        self.track: Track | None = None
        self.expected = -1
        self.header: PesHeader | None = None
        """Of the open PES, if it is in its first packet."""
        self.parts: list[bytes] = []
        self.size = 0
        self.quiet_size = -1
        self.quiet_since = 0
        self.wanted = 0
        self.is_open = False
        self.padded = -1
        """Size of the open PES with its last packet that was stuffed."""
        self.pads_inside = False
        """Whether packets are stuffed that are not the last of a PES."""

    def stuffed(self) -> None:
        """The last packet of the open PES was."""
        if self.padded >= 0:
            self.pads_inside = True
        self.padded = self.size

    @property
    def is_whole(self) -> bool:
        """
        Whether all of the open PES is there, so that packets that are missing now are of what follows.

        By its length; or because a packet in which the next byte had room was filled up (§2.4.3.5), in a stream in
        which only the last packets of a PES are.
        """
        length = 0 if self.header is None else self.header.length
        return self.size >= length if length else self.size == self.padded and not self.pads_inside

    def repeats(self, payload: bytes) -> bool:
        """Whether the last packet had this payload."""
        return not self.parts or payload.endswith(self.parts[-1][-len(payload) :])


class TsDemuxer:
    """
    Feed it a transport stream in pieces of any size. Track ids are PIDs.

    The counters only grow: `packets` that were read, `cc_errors` where packets are missing, `resyncs` when the sync
    byte was not at its place, `transport_errors` and `scrambled` packets, `duplicates`, `dropped_pes`.
    """

    def __init__(self, program: int | None = None, preferred: int | None = None) -> None:
        self.packets = 0
        self.cc_errors = 0
        self.resyncs = 0
        self.transport_errors = 0
        self.scrambled = 0
        self.duplicates = 0
        self.dropped_pes = 0
        self._programs = Programs(program, preferred)
        self._backlog = Backlog()
        self._reading: tuple[bytes, int] = b"", 0
        """The packets that are being read, and where the one is that may tell which program is taken."""
        self._scrambled_seen = False
        self._rest = b""
        self._synced = False
        self._long: LongPackets | None = None
        self._unsearched = 0
        self._flows = {pid_word(PAT_PID): Flow(PAT_PID)}
        self._taken: Program | None = None
        self._not_known: list[ElementaryStream] = []
        self._left_out: tuple[LeftOut, ...] = ()
        self._look_again = False
        """Whether what is not recorded may have changed."""
        self._streams: dict[tuple[int, Framing, str], Flow] = {}
        self._clock = Clock()
        self._settling = True
        self._settling_first: list[int] = []
        self._settling_last: list[int] = []
        """The two earliest and the two latest decoding times since then."""
        self._announced: tuple[Track, ...] = ()
        self._held = 0
        self._samples: dict[int, list[Sample]] = {}
        self._losses: dict[str, int] = {}
        self._time_flow = Flow(TIME_PID)
        self._time_reader = TimeReader()
        self._time: TimeAndDate | None = None
        """Of the packets that are being read, the last one; so there is one in a batch at most."""
        self._events: list[MediaEvent] = []

    def feed(self, data: bytes) -> list[MediaEvent]:
        """What these bytes complete, in order. What they begin is kept."""
        again: bytes | None = data
        while again is not None:
            if self._long is None:
                again = self._feed(again)
                continue
            packets, again = self._long.feed(again)
            self._feed(packets)
            if again is not None:
                self._long, self._synced = None, False
                self.resyncs += 1
        return self._take_events()

    def _feed(self, data: bytes) -> bytes | None:
        """Packets of 188 bytes. Returns the data from where longer packets begin, if they do."""
        if self._rest:
            data = self._rest + data
        position, end = 0, len(data)
        while True:
            if not self._synced:
                searched = position
                position, self._synced = find_sync(data, position)
                if not self._synced:
                    self._unsearched += end - len(self._rest)
                    found = None
                    if self._unsearched >= SEARCH_AFTER:
                        self._unsearched = 0
                        found = find_long_packets(data, searched)
                    if found is not None:
                        position, size = found
                        self._long, self._synced = LongPackets(size), True
                        self._rest = b""
                        return bytes(data[position:])
                    position = max(searched, min(position, end - LONGEST_SEARCH))
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
        return None

    def flush(self) -> list[MediaEvent]:
        """The stream has ended: what is whole though nothing follows it."""
        if self._long is not None:
            self._feed(self._long.flush())
        rest, self._rest = self._rest, b""
        place = rest.find(b"\x47")
        if place >= 0 and (count := (len(rest) - place) // PACKET):
            self._read(rest[place:], count)
        self._synced, self._long = False, None
        if self._programs.looking:
            self._reading = b"", 0
            self._programs.ended()
            self._choose()
        for flow in self._streams.values():
            self._end(flow)
            flow.expected = -1
        if self._settling:
            self._announce()
        self._report()
        return self._take_events()

    def _take_events(self) -> list[MediaEvent]:
        self._report_left_out()
        events, self._events = self._events, []
        return events

    @property
    def program(self) -> int | None:
        """The program_number of what is taken."""
        return None if self._taken is None else self._taken[0]

    def complaint(self) -> str | None:
        """Why nothing comes of what is fed, in a clause; `None` if there are tracks, or nothing is wrong so far."""
        if self._announced:
            return None
        if not self.packets:
            return "this is no MPEG-TS" if self._rest else None
        if self._taken is None:
            if (self.scrambled or self._scrambled_seen) and self._programs.maps:
                return "it is scrambled"
            return self._programs.complaint()
        if self.scrambled and not any(flow.seen for flow in self._streams.values()):
            return "it is scrambled"
        silent = [str(flow.pid) for flow in self._streams.values() if not flow.seen]
        if self._streams and len(silent) == len(self._streams):
            return f"program {self._taken[0]}: nothing comes on its PIDs {', '.join(silent)}"
        return "; ".join(str(one) for one in self._current_left_out() if one.serious) or None

    def _read(self, data: bytes, count: int) -> int:
        """Read packets from the beginning of `data`; how many, less than `count` when sync was lost behind them."""
        starts, words = packet_runs(data, count)
        rows = packet_rows(data, count)
        flows = self._flows
        starts.append(count)
        self._reading = data, 0
        for index, word in enumerate(words):
            if word & 0xFF != SYNC:
                count = starts[index]
                self.resyncs += 1
                self._synced = False
                break
            flow = flows.get(word & _PID)
            begin, stop = starts[index], starts[index + 1]
            if flow is None:
                if word & START and self._programs.looking:
                    self._look(data, begin, stop)
                continue
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
        if self._programs.looking:
            self._backlog.keep(data[: count * PACKET], self._programs.elapsed)
        self._reading = b"", 0
        return count

    def _packet(self, flow: Flow, data: bytes, at: int) -> None:
        """Any packet that is not just the continuation of what came before."""
        second, flags = data[at + 1], data[at + 3]
        if flow.stream is None:
            self._reading = data, at
        if flow.probe:
            self._probe(flow, data, at)
            return
        if flow is self._time_flow:
            utc_ms, dts = self._time_reader.feed(data[at : at + PACKET]), self._clock.last
            if utc_ms is not None and dts is not None:
                self._time = TimeAndDate(utc_ms, dts * 1000 // TICKS)
            return
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
            if flags & 0x20 and is_stuffed(data, at):
                flow.stuffed()
        elif flow.is_open:
            flow.parts.append(payload)
            flow.size += len(payload)
            if flags & 0x20 and is_stuffed(data, at):
                flow.stuffed()
            if flow.size >= flow.wanted or len(flow.parts) > PARTS_MAX:
                self._filled(flow)

    def _damaged(self, flow: Flow, reason: str) -> None:
        """Packets of this flow are missing: what is being put together is lost, the next PES is not."""
        self._losses[reason] = self._losses.get(reason, 0) + 1
        flow.expected = -1
        if flow.sections is not None:
            flow.sections.lost()
        if flow.is_open and flow.is_video:
            whole = flow.is_whole
            self._complete(flow)  # there may be pictures that are whole in front of what is missing
            if whole and flow.stream is not None:
                self._take(flow, flow.stream.finish())
            self.dropped_pes += 1
        if flow.stream is not None:
            flow.stream.lost()
            self._take(flow, [])
        if flow.is_open:
            self._drop(flow)

    def _drop(self, flow: Flow) -> None:
        self.dropped_pes += 1
        flow.is_open = False
        flow.parts = []

    # PES

    def _begin(self, flow: Flow, payload: bytes) -> None:
        """A PES packet begins."""
        header = parse_pes(payload)
        head = None
        if flow.is_video and header is not None and not header.scrambled:
            head = payload[header.size :]
        read = self._complete(flow, head)
        if not read and head is not None and flow.stream is not None:
            self._take(flow, flow.stream.peek(head))
        if not payload.startswith(b"\0\0\1"[: len(payload)]):
            self._losses["damaged"] = self._losses.get("damaged", 0) + 1
            self.dropped_pes += 1
            return
        flow.header = header
        flow.parts = [payload]
        flow.size = len(payload)
        flow.is_open = True
        flow.quiet_size = flow.padded = -1
        # Video's lengths are mostly 0: it is over when the next one begins.
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

    def _complete(self, flow: Flow, head: bytes | None = None) -> bool:
        """Nothing more comes for this PES; `head`: with what the next one begins. Whether it was read."""
        if not flow.is_open or flow.stream is None:
            return False
        parts = flow.parts
        flow.is_open = False
        flow.parts = []
        if 0 <= flow.padded < flow.size:
            flow.pads_inside = True
        header = flow.header
        if header is None:
            parts = [b"".join(parts)]
            header = parse_pes(parts[0])
        if header is None:
            self.dropped_pes += 1
            return False
        flow.seen += 1
        if flow.seen == UNREAD_MAX:
            self._look_again = True
        if header.scrambled:
            self.scrambled += 1
            self._losses["scrambled"] = self._losses.get("scrambled", 0) + 1
            return False
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
            batches = flow.stream.read(pts, dts, payload, head)
        except FormatError:
            self.dropped_pes += 1
            self._losses["damaged"] = self._losses.get("damaged", 0) + 1
            return False
        self._take(flow, batches)
        if dts is not None and not flow.is_video:
            self._complete_quiet(dts)
        if self._settling and dts is not None:
            self._settle(dts)
        return True

    def _complete_quiet(self, dts: int) -> None:
        """Pictures that come seldom are whole when nothing more of them has come for `QUIET` of sound's time."""
        for flow in self._streams.values():
            if not flow.is_video or not flow.is_open:
                continue
            if flow.size != flow.quiet_size or dts < flow.quiet_since:
                flow.quiet_size, flow.quiet_since = flow.size, dts
            elif dts - flow.quiet_since >= QUIET:
                flow.quiet_size = -1
                self._end(flow)

    def _end(self, flow: Flow) -> None:
        """Nothing more comes in this flow."""
        self._complete(flow)
        if flow.stream is not None:
            self._take(flow, flow.stream.flush())

    def _take(self, flow: Flow, batches: list[Batch]) -> None:
        """What an elementary stream has completed."""
        for track, samples in batches:
            if track is not flow.track:
                self._track_changed(flow, track)
            if samples:
                self._keep(flow.pid, samples)
        if flow.stream is not None and flow.stream.losses:
            for reason, count in flow.stream.losses.items():
                self._losses[reason] = self._losses.get(reason, 0) + count
            flow.stream.losses.clear()

    # Tracks

    def _track_changed(self, flow: Flow, track: Track | None) -> None:
        if track == flow.track:
            flow.track = track
            return
        self._look_again = True
        if self._settling and flow.pid in self._samples:
            self._announce()  # what is held back belongs to the track as it was
        if self._settling:
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
        earliest, latest = sorted([*self._settling_first, dts])[:2], sorted([*self._settling_last, dts])[-2:]
        self._settling_first, self._settling_last = earliest, latest
        # Of the earliest and of the latest time, one may be damaged.
        if latest[0] - earliest[-1] >= SETTLING or self._held > HELD_MAX:
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
        self._settling_first, self._settling_last = [], []
        self._held = 0

    def _report(self) -> None:
        if not self._settling:
            self._report_samples()
        if self._losses:
            self._events += [DataLost(reason, count) for reason, count in self._losses.items()]
            self._losses = {}
        if self._time is not None:
            self._events.append(self._time)
            self._time = None

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
        self._programs.pat_received(programs)
        self._look_again = True
        if self._programs.looking:
            if self._flows.get(pid_word(TIME_PID)) is self._time_flow:
                del self._flows[pid_word(TIME_PID)]  # a program without DVB's tables may use the PID
            for _, pid in self._programs.listed:
                self._flows.setdefault(pid_word(pid), Flow(pid))
            self._choose()

    def _program_map(self, pid: int, section: bytes) -> None:
        pmt = with_registrations(parse_pmt(section))
        program = pmt.program_number, pid
        if self._programs.looking:
            self._programs.map_received(program, pmt)
            for entry in recordable(pmt):
                self._flows.setdefault(pid_word(entry.pid), Flow(entry.pid, probe=True))
            self._choose()
        elif self._taken == program:
            self._use(program, pmt)

    def _look(self, data: bytes, begin: int, stop: int) -> None:
        """Packets of a PID that nothing is known of, each with the start of something: a PMT, or the time."""
        for at in range(begin * PACKET, stop * PACKET, PACKET):
            payload = _payload(data, at)
            if payload is None:
                return
            pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
            if payload.startswith(b"\0\0\1"):
                header = parse_pes(payload)
                self._reading = data, at
                self._programs.pes_began(pid, None if header is None else header.pts)
                self._choose()
            elif payload[:1] == b"\0" and payload[1:2] == bytes((PMT_TABLE,)) and pid != NULL_PID:
                looked = sum(1 for flow in self._flows.values() if flow.sections is not None)
                flow = self._flows.get(pid_word(pid))
                if flow is None and looked <= LOOKED_MAX + len(self._programs.listed):
                    flow = self._flows[pid_word(pid)] = Flow(pid)
                if flow is not None:
                    self._packet(flow, data, at)

    def _probe(self, flow: Flow, data: bytes, at: int) -> None:
        """A packet of a program that may be chosen."""
        if (taken := self._flows.get(pid_word(flow.pid))) is not flow:
            if taken is not None:
                self._packet(taken, data, at)
            return
        payload = _payload(data, at)
        self._scrambled_seen = self._scrambled_seen or bool(data[at + 3] & 0xC0)
        if not data[at + 1] & 0x40 or payload is None or not payload.startswith(b"\0\0\1"):
            return
        header = parse_pes(payload)
        if header is None or header.scrambled:
            return
        self._programs.pes_began(flow.pid, header.pts)
        self._choose()
        if (taken := self._flows.get(pid_word(flow.pid))) is not None and not taken.probe:
            self._packet(taken, data, at)

    def _choose(self) -> None:
        """Take the program that is to be taken, if that is known by now."""
        program = self._programs.choose()
        if program is None or (self._taken == program and not self._programs.looking and self._streams):
            return
        self._taken = program
        keep = {PAT_PID, program[1]}
        for word, flow in list(self._flows.items()):
            if flow.stream is None and flow.pid not in keep:
                del self._flows[word]
        read = {flow.pid for flow in self._streams.values()}
        self._use(program, self._programs.maps[program])
        self._catch_up([flow for flow in self._streams.values() if flow.pid not in read])

    def _catch_up(self, begun: list[Flow]) -> None:
        """Read what streams that are taken now have brought before that, up to the packet that is being read."""
        data, at = self._reading
        packets = self.packets
        flows, self._flows = self._flows, {pid_word(flow.pid): flow for flow in begun}
        for chunk in (*self._backlog.take(), data[:at]):
            if chunk:
                self._read(chunk, len(chunk) // PACKET)
                self._report()
        self._flows, self.packets = flows, packets

    def _use(self, program: Program, pmt: ProgramMap) -> None:
        """Take the streams that this PMT lists; those that it listed before go on."""
        wanted: dict[tuple[int, Framing, str], Flow] = {}
        pids = {PAT_PID, program[1], NULL_PID}
        self._not_known = []
        self._look_again = True
        for entry in pmt.streams:
            if entry.pid in pids:
                continue
            if entry.framing is None or len(wanted) == STREAMS_MAX:
                self._not_known.append(entry)
                continue
            pids.add(entry.pid)
            key = entry.pid, entry.framing, entry.language
            known = self._streams.get(key)
            stream = open_stream(*key, entry.descriptors) if known is None else None
            wanted[key] = known or Flow(entry.pid, stream, entry.framing.is_video)
        for key, flow in self._streams.items():
            if key not in wanted:
                self._end(flow)
                self._flows.pop(pid_word(flow.pid), None)
        if not self._settling:
            self._report_samples()
        self._streams = wanted
        self._flows.update({pid_word(flow.pid): flow for flow in wanted.values()})
        self._flows.setdefault(pid_word(TIME_PID), self._time_flow)
        self._samples = {flow.pid: self._samples[flow.pid] for flow in wanted.values() if flow.pid in self._samples}
        if any(flow.track is None for flow in wanted.values()):
            self._settling = True
            self._settling_first, self._settling_last = [], []
        else:
            self._announce()

    # What is not recorded

    def _report_left_out(self) -> None:
        if not self._look_again:
            return
        self._look_again = False
        left_out = tuple(self._current_left_out())
        if left_out != self._left_out:
            self._left_out = left_out
            self._events.append(TracksLeftOut(left_out))

    def _current_left_out(self) -> list[LeftOut]:
        found = self._programs.left_out()
        for entry in self._not_known:
            name, serious = entry.name
            if entry.framing is not None:
                found.append(LeftOut(f"{entry.framing.value} on PID {entry.pid}", f"only {STREAMS_MAX} tracks are"))
            else:
                found.append(LeftOut(f"{name} on PID {entry.pid}", NOT_STORED, serious))
        for (pid, framing, _), flow in self._streams.items():
            if flow.track is None and flow.seen >= UNREAD_MAX:
                found.append(LeftOut(f"PID {pid}", f"it is said to be {framing.value}, and nothing in it can be read"))
        return found


def _payload(data: bytes, at: int) -> bytes | None:
    """What the packet at `at` carries; `None` if that is nothing, scrambled or damaged."""
    flags = data[at + 3]
    if data[at + 1] & 0x80 or flags & 0xC0 or not flags & 0x10:
        return None
    begin = at + 5 + data[at + 4] if flags & 0x20 else at + 4
    return data[begin : at + PACKET] if begin < at + PACKET else None
