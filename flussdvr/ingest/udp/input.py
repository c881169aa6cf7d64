"""
MPEG-TS over UDP and RTP, unicast and multicast: `udp://[source@]group:port[/interface]`, `rtp://...`.

    socket -> DatagramReader (batches) -> [RtpTs: order, headers off] -> TsDemuxer -> sink

Whether it is RTP is seen in every batch's first datagram, whatever the URL says: encoders are reconfigured without
asking the recorder. Datagrams may be of any size; transport packets may even lie across their ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from flussdvr.errors import FormatError
from flussdvr.formats.mpegts.demuxer import TsDemuxer
from flussdvr.formats.mpegts.packet import SYNC
from flussdvr.formats.mpegts.rtp import RtpTs, is_rtp
from flussdvr.ingest.source import DEFAULT_TIMEOUT_S, Input, Sink, State, program_of
from flussdvr.ingest.udp.padding import DatagramPadding
from flussdvr.ingest.udp.socket import DatagramReader, UdpAddress, open_socket
from flussdvr.media import DataLost, MediaEvent
from flussdvr.process.reactors import IReactorAll

DROPS_PERIOD_S = 2.0
"""The kernel's drop counter is read this often."""


class UdpInput(Input):
    """A group or a port that is listened to."""

    longest_wait_s = 1.0  # nobody is bothered by an open socket

    def __init__(
        self,
        url: str,
        sink: Sink,
        reactor: IReactorAll,
        options: Mapping[str, str] | None = None,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        stream: str = "",
    ) -> None:
        super().__init__(url, sink, reactor, options, timeout_s, stream)
        self.address = UdpAddress.parse(url, options)
        self._reader: DatagramReader | None = None
        self._program = program_of(self.options, url)
        self._demuxer = TsDemuxer(self._program)
        self._rtp: RtpTs | None = None
        self._padding = DatagramPadding()
        self._drops_read_at = 0.0

    def open(self) -> None:
        self._demuxer = TsDemuxer(self._program, self._demuxer.program)
        self._rtp = None
        self._padding = DatagramPadding()
        received = partial(self.guarded, self._batch_received)
        self._reader = DatagramReader(open_socket(self.address), self._reactor, received, self.lost)
        self._reader.start()
        self.opened()

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()

    def drain(self) -> list[MediaEvent]:
        if self._reader is not None and self.state is State.RECEIVING:
            self._reader.read()
        return self._demuxer.flush()

    @property
    def origin(self) -> str:
        """The group and port: who sends there is not known."""
        return f"{self.address.host}:{self.address.port}"

    def complaint(self) -> str | None:
        return self._demuxer.complaint() if self.position else None

    def silent(self) -> None:
        """Join again at once: a switch may have forgotten us, and nothing must be missed while waiting."""
        self.lost(self.silence, delay=0.0)

    def _batch_received(self, batch: memoryview, sizes: list[int]) -> None:
        self.counters.bytes += len(batch)
        data = self._packets(batch, sizes)
        try:
            self.received(self._demuxer.feed(data))
        except FormatError as error:
            self.lost(str(error))
            return
        self._read_drops()

    def _packets(self, batch: memoryview, sizes: list[int]) -> bytes:
        """The transport packets, without what the datagrams have before and behind them."""
        if batch[0] != SYNC and self._rtp is None and is_rtp(batch[: sizes[0]]):
            self._rtp = RtpTs()
        if batch[0] == SYNC or self._rtp is None:
            return self._padding.cut(batch, sizes)
        before = self._rtp.lost
        payloads = self._rtp.receive(batch, sizes)
        if lost := self._rtp.lost - before:
            self.received([DataLost("rtp", lost)])
        return self._padding.cut(memoryview(b"".join(payloads)), [len(payload) for payload in payloads])

    def _read_drops(self) -> None:
        now = self._reactor.seconds()
        if self._reader is None or now - self._drops_read_at < DROPS_PERIOD_S:
            return
        self._drops_read_at = now
        if drops := self._reader.drops():
            self.counters.dropped += drops
            self.received([DataLost("receive buffer full", drops)])
