"""What is wrong, and since when: streams, disks, sinks; no network, no disk."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.forecast import Forecast
from flussdvr.archive.misdated import Aside as Misdated
from flussdvr.archive.retention import DiskUsage
from flussdvr.config.model import DvrSettings, EventSinkSettings, InputSettings, StreamSettings
from flussdvr.database.catalog import Aside, CatalogState
from flussdvr.errors import DvrError, Kind
from flussdvr.media import LeftOut
from flussdvr.monitoring.alarms import Alarms, Finding, Hysteresis, size, span
from flussdvr.timeline import Range

DAY = 86_400
GB = 10**9


def branch(index: int, url: str, reason: str | None = None) -> Any:
    return SimpleNamespace(
        index=index, input=SimpleNamespace(shown_url=url, reason=reason, complaint=lambda: None, crash=None)
    )


class Situation:
    """A server in which all is well."""

    def __init__(self) -> None:
        self.now_ms = 1_795_194_000_000
        self.root = SimpleNamespace(
            path="/storage", uuid="u", error=None, step=None, queued_bytes=0, limit_bytes=256 << 20
        )
        self.trouble: DvrError | None = None
        self.waiting_s, self.left = 0.0, 0
        self.taken: list[tuple[str, DvrError]] = []
        self.pending: list[tuple[str, Range, dict[str, DvrError]]] = []
        self.recorder = SimpleNamespace(error=None, root=self.root, fragments_dropped=0)
        self.recorded = SimpleNamespace(name="cam7", end_ms=self.now_ms, roots={"/storage"}, misdated={})
        self.stream = SimpleNamespace(
            opened_at_ms=self.now_ms - 10**7, alive=True, last_fragment_ms=self.now_ms, left_out=()
        )
        self.inputs = SimpleNamespace(active=None, branches=[branch(0, "udp://239.0.0.1:1234")])
        settings = StreamSettings("cam7", dvr=DvrSettings("/storage", expiration_s=7 * DAY))
        self.entry = SimpleNamespace(settings=settings, stream=self.stream, inputs=self.inputs, recorder=self.recorder)
        self.archive = SimpleNamespace(
            roots={"/storage": self.root},
            recorders={"cam7": self.recorder},
            stream=lambda name: self.recorded,
            streams_of=lambda path=None: [self.recorded],
            retention=SimpleNamespace(policies={"cam7": settings.dvr}),
            catalog=SimpleNamespace(state=lambda: self.catalog),
            deletion=SimpleNamespace(
                trouble=lambda path: self.trouble,
                waiting_s=lambda path: self.waiting_s,
                left=lambda path: self.left,
                taken=lambda path: self.taken,
            ),
            range_deletions=SimpleNamespace(pending=lambda: self.pending),
        )
        self.catalog = CatalogState()
        self.streams = SimpleNamespace(stuck={}, names=lambda: ["cam7"], entry=lambda name: self.entry)
        self.events = SimpleNamespace(sinks={})
        self.latency = SimpleNamespace(worst_s=0.0)
        parts: Any = (self.streams, self.archive, self.events, self.latency, None, lambda: self.now_ms)
        self.alarms = Alarms(*parts)

    def after(self, seconds: float) -> list[tuple[str, str]]:
        """Code and title of what is wrong then."""
        self.now_ms += int(seconds * 1000)
        return [(alarm.finding.code, alarm.finding.title) for alarm in self.alarms.now()]

    def disk(self, free: int, rate: float = 0, recorded: int = 0, total: int = 1000 * GB) -> None:
        self.alarms._forecasts["/storage"] = Forecast(DiskUsage(total, free), recorded, rate, 3600)


@pytest.fixture
def there() -> Situation:
    return Situation()


def test_all_is_well(there: Situation) -> None:
    there.disk(500 * GB)
    assert there.after(0) == []


def test_a_source_that_made_us_fail(there: Situation) -> None:
    there.inputs.branches[0].input.crash = "internal error at byte 188 of the stream: KeyError: 'a bug'"
    title = "cam7: udp://239.0.0.1:1234 was opened anew after an internal error at byte 188 of the stream: "
    assert there.after(0) == [("source_crashed", title + "KeyError: 'a bug'")]


def test_what_the_source_has_and_is_not_recorded(there: Situation) -> None:
    there.stream.left_out = (LeftOut("teletext on PID 5", "no", serious=False), LeftOut("DTS sound on PID 7", "so"))
    assert there.after(0) == [("track_left_out", "cam7: DTS sound on PID 7 is not recorded: so")]
    there.stream.left_out = ()
    assert there.after(9.9)[0][0] == "track_left_out"  # it is held for a moment
    there.recorded.end_ms = there.now_ms
    assert there.after(1) == []


def test_misdated_recordings_are_told_of_streams_that_do_not_run_too(there: Situation) -> None:
    blob = Blob("cam7", "/storage", there.now_ms + DAY * 1000, there.now_ms + DAY * 1000 + 60_000)
    there.disk(500 * GB)
    there.recorded.misdated = {blob: Misdated(-DAY * 1000)}
    title = "1 file of cam7 (60 s) is misdated by 24 h: see flussdvr redate"
    assert there.after(0) == [("recordings_misdated", title)]
    there.entry = None
    assert there.after(0) == [("recordings_misdated", title)]


@pytest.mark.parametrize(("difference_ms", "words"), [(-9 * DAY * 1000, "9 days ahead"), (7_300_000, "2 h behind")])
def test_a_clock_that_sources_contradict_is_one_alarm(there: Situation, difference_ms: int, words: str) -> None:
    clock = SimpleNamespace(shift_ms=None, trusted_for_expiry=False, contradicted_ms=difference_ms)
    parts: Any = (there.streams, there.archive, there.events, there.latency, None, lambda: there.now_ms)
    alarms = Alarms(*parts, clock=clock)  # type: ignore[arg-type]
    there.disk(500 * GB)
    (alarm,) = [one for one in alarms.now() if one.finding.code.startswith("clock")]
    assert (alarm.finding.code, alarm.finding.severity) == ("clock_contradicted", "critical")
    assert f"is {words} of what several sources state" in alarm.finding.title
    clock.contradicted_ms = None
    there.now_ms += 1000
    assert [one.finding.code for one in alarms.now() if one.finding.code.startswith("clock")] == ["clock_unproven"]


def test_a_root_that_joins(there: Situation) -> None:
    there.root.step = "what is recorded on it is looked for"
    assert there.after(0) == []
    title = "Not all that is recorded on /storage is listed yet: what is recorded on it is looked for"
    assert ("root_joining", title) in there.after(11)


def test_the_catalog(there: Situation) -> None:
    there.disk(500 * GB)
    there.catalog = CatalogState("disk full", "it was broken", True, None, (Aside("link", 2, "uses is -1"),))
    found = dict(there.after(0))
    assert "disk full" in found["catalog_failed"] and "can't be read either" in found["catalog_failed"]
    assert found["catalog_rebuilt"] == "The catalog was made anew when the server started: it was broken"
    nonsense = "Rows of the catalog make no sense and are set aside: 2 of link (uses is -1)"
    assert found["catalog_nonsense"] == nonsense
    there.catalog = CatalogState(copy_refused="Is a directory")
    assert ("catalog_failed", "What the API has changed has no copy beside the catalog: Is a directory") in there.after(
        11
    )


def test_a_gap_becomes_a_recording_that_has_stopped(there: Situation) -> None:
    there.inputs.branches[0].input.reason = "connection refused"
    assert there.after(9) == []
    there.stream.alive = False
    assert there.after(3) == [("gap", "cam7 has a gap of 12 s so far: connection refused")]
    assert there.after(168) == [("recording_stopped", "cam7 has not been recorded for 3 min: connection refused")]
    (alarm,) = there.alarms.now()
    assert alarm.document() == {
        "id": "recording_stopped:cam7",
        "severity": "critical",
        "code": "recording_stopped",
        "media": "cam7",
        "root": None,
        "sink": None,
        "since": there.recorded.end_ms,
        "title": alarm.finding.title,
    }
    there.recorded.end_ms = there.now_ms
    assert there.after(0) == []


def test_why_it_is_not_recorded(there: Situation) -> None:
    assert there.after(31)[0][1].endswith("what arrives is not written")
    there.recorder.error = DvrError(Kind.UNAVAILABLE, "disk_failed", "/storage: No space left on device")
    assert there.after(0)[0][1].endswith("/storage: No space left on device")
    there.recorder.error, there.stream.alive, there.inputs.branches = None, False, []
    assert there.after(0)[0][1].endswith("it has no input")


def test_outside_of_its_hours_nothing_is_missing(there: Situation) -> None:
    hhmm = there.now_ms // 60_000 % 1440  # the situation is at a full minute
    begin = (hhmm + 2) // 60 * 100 + (hhmm + 2) % 60
    dvr = DvrSettings("/storage", schedule=((begin, (begin + 100) % 2400),))
    there.entry.settings = StreamSettings("cam7", dvr=dvr)
    assert there.after(119) == []
    assert there.after(11) == [], "its hours began ten seconds ago, or less"
    assert [code for code, _ in there.after(5)] == ["gap"]


def test_a_stream_that_is_not_recorded(there: Situation) -> None:
    there.entry.recorder = None
    there.stream.alive = False
    assert there.after(11) == [("source_lost", "cam7 has had no source for 11 s: nothing arrives")]
    there.stream.alive = True
    assert there.after(0) == []


def test_a_stream_that_others_publish(there: Situation) -> None:
    published = InputSettings("publish://")
    dvr = there.entry.settings.dvr
    there.entry.settings = StreamSettings("cam7", inputs=(published,), dvr=dvr)
    there.stream.alive = False
    assert there.after(11) == [("source_lost", "cam7 has not been published for 11 s")]
    assert there.after(DAY) == [], "nobody has to publish"
    there.entry.settings = StreamSettings("cam7", inputs=(published, InputSettings("udp://a:1")), dvr=dvr)
    assert [code for code, _ in there.after(0)] == ["recording_stopped"], "it has another input"


def test_a_stream_that_is_fed_by_its_second_best(there: Situation) -> None:
    there.inputs.branches = [branch(0, "udp://a:1", "no media for 10 s"), branch(1, "tshttp://b/x")]
    there.inputs.active = there.inputs.branches[1]
    title = "cam7 is fed by tshttp://b/x: udp://a:1 fails, no media for 10 s"
    assert there.after(1) == [("source_lost", title)]
    there.inputs.active = there.inputs.branches[0]
    assert [code for code, _ in there.after(9)] == ["source_lost"], "what comes and goes is one alarm"
    assert [code for code, _ in there.after(0)] == ["source_lost"]


def test_dropped_fragments_are_told_for_a_minute(there: Situation) -> None:
    there.recorder.fragments_dropped = 70
    assert there.after(0) == [], "of before"
    there.recorder.fragments_dropped = 71
    title = "1 fragment was not written of cam7: the disk of /storage is too slow, or fails"
    assert there.after(1) == [("writes_dropped", title)]
    there.recorded.end_ms += 40_000
    there.recorder.fragments_dropped = 83
    assert there.after(39)[0][1].startswith("13 fragments were not written")
    there.recorded.end_ms += 59_000
    assert [code for code, _ in there.after(59)] == ["writes_dropped"]
    assert there.after(2) == []
    there.recorder.fragments_dropped = 84
    assert there.after(1)[0][1].startswith("1 fragment was")


def test_a_root_that_fails(there: Situation) -> None:
    there.recorded.end_ms += 10**6
    there.root.error = DvrError(Kind.UNAVAILABLE, "disk_not_mounted", "/storage has no marker: is its disk mounted?")
    assert there.after(0) == [] and there.after(9) == []
    title = "Nothing can be recorded on /storage: /storage has no marker: is its disk mounted?"
    assert there.after(1) == [("root_failed", title)]
    there.root.error = None
    assert there.after(1) == []
    there.root.queued_bytes = 100 << 20
    assert there.after(1) == [("writes_slow", "The disk of /storage is too slow: 105 MB wait to be written")]


def test_what_cannot_be_deleted(there: Situation) -> None:
    there.trouble = DvrError(Kind.UNAVAILABLE, "disk_failed", "/storage: Read-only file system")
    title = "Nothing can be deleted on /storage, so that it will be full: /storage: Read-only file system"
    assert there.after(1) == [("deletion_failed", title)]
    there.trouble, there.waiting_s = None, 300.0
    assert there.after(1) == [("deletion_failed", "The disk of /storage has not answered to a deletion for 5 min")]
    there.waiting_s, there.left = 1.0, 2
    title = "Files of 2 deleted recordings are still on /storage: they can't be removed"
    assert there.after(1) == [("deletion_left", title)]
    there.left, error = 0, DvrError(Kind.UNAVAILABLE, "disk_not_mounted", "/old is not mounted")
    there.pending = [("cam7", Range(0, 60_000), {"/old": error}), ("cam8", Range(0, 1), {})]
    assert there.after(1) == [("deletion_pending", "60 s of cam7 are still to be deleted: /old is not mounted")]
    there.pending = []
    there.taken = [("cam9", DvrError(Kind.CONFLICT, "in_use", "process 7 on here has it"))]
    title = "Nothing of cam9 is deleted on /storage, whatever the limits say: process 7 on here has it"
    assert there.after(1) == [("stream_in_use", title)]
    there.taken = []
    assert there.after(1) == []


def test_a_full_disk(there: Situation) -> None:
    there.recorded.end_ms += 10**6
    there.disk(free=400_000_000)
    assert there.after(0) == []
    ((code, title),) = there.after(60)
    assert code == "root_full"
    assert title.startswith("/storage is full: 400 MB are free, recordings have 0 B, other files 1 TB; the oldest")
    there.root.queued_bytes = 100 << 20
    there.recorder.fragments_dropped += 1
    found = dict(there.after(1))
    assert found.keys() == {"root_full", "writes_dropped"}, "what is full is not called slow"
    assert found["writes_dropped"].endswith("the disk of /storage is full")
    there.root.queued_bytes = 0
    there.recorded.end_ms += 10**6
    there.after(60)
    there.disk(free=100 * GB)
    assert there.after(59) and not there.after(2)


def test_a_disk_that_will_be_full(there: Situation) -> None:
    there.recorded.end_ms += 10**9
    there.disk(free=100 * GB, recorded=700 * GB, rate=2_000_000)
    title = "/storage will be full in 13 h: at 2 MB/s it keeps 4.6 of 7.0 days"
    assert there.after(0) == [("root_soon_full", title)]
    there.disk(free=400 * GB, recorded=400 * GB, rate=2_000_000)
    assert ("root_short", "/storage is too small: at 2 MB/s it keeps 4.6 of 7.0 days") in there.after(601)
    there.disk(free=20 * GB, recorded=900 * GB, rate=1_400_000)
    there.after(601)
    assert there.after(601) == [], "expiry makes room in time"
    there.archive.retention.policies["cam7"] = DvrSettings("/storage")
    assert there.after(0) == [("root_soon_full", "/storage will be full in 3 h: at 1.4 MB/s it keeps 7.6 days")]
    there.archive.retention.policies["cam7"] = DvrSettings("/storage", disk_usage_limit=90)
    there.after(1)
    assert there.after(601) == []


def test_a_sink_and_the_server(there: Situation) -> None:
    there.recorded.end_ms += 10**6

    class Sink:
        settings = EventSinkSettings("usage", "http://me:secret@receiver/x")
        error, dropped = "it answers 500", 3

        def __len__(self) -> int:
            return 1234

    there.events.sinks["usage"] = Sink()
    there.latency.worst_s = 1.26
    assert sorted(there.after(0)) == [
        ("server_busy", "The server is too busy: it was 1.3 s late within the last minute"),
        (
            "sink_failed",
            "The event sink usage (http://me:***@receiver/x) takes nothing: it answers 500; "
            "1234 events wait, 3 are lost",
        ),
    ]


def test_the_worst_and_the_oldest_come_first() -> None:
    found = [
        Finding("a", "warning", "", since_ms=1),
        Finding("b", "critical", "", since_ms=3),
        Finding("c", "warning", ""),
    ]
    look = Hysteresis().look(found, 2)
    assert [alarm.finding.code for alarm in look] == ["b", "a", "c"] and look[2].since_ms == 2


def test_one_that_comes_and_goes_has_one_beginning() -> None:
    hysteresis, finding = Hysteresis(), Finding("a", "warning", "", hold_s=10)
    for second in range(0, 90, 9):
        (alarm,) = hysteresis.look([] if second % 2 else [finding], second * 1000)
        assert alarm.since_ms == 0
    assert hysteresis.look([], 81_999) and not hysteresis.look([], 82_000)


def test_words() -> None:
    assert [span(ms) for ms in (-5, 7999, 119_000, 125_000, 7_300_000, 10**9)] == [
        *("0 s", "7 s", "119 s", "2 min", "2 h", "11 days")
    ]
    assert [size(count) for count in (999, 1000, 12_340_000, 10**14)] == ["999 B", "1 kB", "12.3 MB", "100 TB"]


def test_a_clock_that_was_put_back_keeps_no_alarm_and_hides_none(there: Situation) -> None:
    hysteresis = Hysteresis()
    held, new = Finding("a", "warning", "a", hold_s=10), Finding("b", "warning", "b", after_s=5)
    hysteresis.look([held, new], there.now_ms)
    back_ms = there.now_ms - DAY * 1000
    assert [alarm.finding.code for alarm in hysteresis.look([held, new], back_ms)] == ["a"]
    assert [alarm.finding.code for alarm in hysteresis.look([new], back_ms + 11_000)] == ["b"]
