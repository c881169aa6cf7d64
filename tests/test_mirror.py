"""
Where a module is tested: `flussdvr/live/window.py` by `tests/live/test_window.py`, by the file that its first
line names (`test-case-name`), or by the one that is named here.

A module without a test file of its own is a part of something bigger, which is tested as one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.test_layers import PACKAGE, imports

TESTS = Path(__file__).parent
PLAIN = {
    "errors",
    "media",
    "config/model",
    "database/catalog",
    "database/subjects",
    "live/fragment",
    "archive/disk/blob",
}
"""Values and protocols: whatever uses them tries them."""

COVERED = {
    # module                        the file below tests/ that tries it
    "__main__":                     "integration/test_service",
    "server":                       "integration/test_service",
    "service":                      "integration/test_service",
    "access/admission":             "web/api/test_links",
    "access/auth_request":          "web/media/test_gate",
    "access/authorities":           "web/media/test_gate",
    "access/decisions":             "web/media/test_gate",
    "access/grant":                 "web/media/test_passes",
    "access/protocols":             "web/media/test_gate",
    "access/viewer":                "web/media/test_gate",
    "archive/streams/numbering":    "playback/hls/test_discontinuities",
    "body/copying":                 "export/test_file",
    "body/files":                   "archive/test_crash",
    "clock/kernel":                 "clock/test_utc",
    "config/countries":             "access/test_authority",
    "config/dvr":                   "config/test_load",
    "config/errors":                "config/test_parser",
    "config/input_kind":            "config/test_inputs",
    "config/lexer":                 "config/test_parser",
    "config/overrides":             "config/test_documents",
    "config/reading":               "config/test_load",
    "config/server":                "config/test_load",
    "config/stream":                "config/test_load",
    "config/stream_document":       "config/test_documents",
    "config/auth_backend":          "config/test_load",
    "config/event_sink":            "config/test_load",
    "config/listener":              "config/test_load",
    "config/authorization":         "config/test_options",
    "config/dvr_document":          "config/test_options",
    "config/dvr_options":           "config/test_options",
    "config/input_settings":        "config/test_options",
    "config/stream_options":        "config/test_options",
    "config/thumbnails":            "config/test_options",
    "config/urls":                  "config/test_inputs",
    "control/streams":              "control/test_administration",
    "database/sqlite/aside":        "database/sqlite/test_nonsense",
    "database/sqlite/blobs":        "database/sqlite/test_catalog",
    "database/sqlite/connection":   "database/sqlite/test_file",
    "database/sqlite/deletions":    "database/sqlite/test_catalog",
    "database/sqlite/export_jobs":  "database/sqlite/test_catalog",
    "database/sqlite/links":        "database/sqlite/test_catalog",
    "database/sqlite/locks":        "database/sqlite/test_catalog",
    "database/sqlite/overrides":    "database/test_overrides_text",
    "database/sqlite/rebuilding":   "archive/test_late_catalog",
    "database/sqlite/roots":        "database/sqlite/test_catalog",
    "database/sqlite/salvage":      "database/sqlite/test_file",
    "database/sqlite/sign_outs":    "database/sqlite/test_catalog",
    "database/sqlite/stand_in":     "database/sqlite/test_file",
    "database/sqlite/subject":      "database/sqlite/test_catalog",
    "database/sqlite/transactions": "archive/test_hung_catalog",
    "database/sqlite/undo":         "database/sqlite/test_file",
    "database/thread":              "archive/test_hung_catalog",
    "events/events":                "events/test_event_service",
    "events/types/archive":         "events/types/test_event",
    "events/types/catalog":         "events/types/test_event",
    "events/types/server":          "events/types/test_event",
    "events/types/streams":         "events/types/test_event",
    "events/types/viewers":         "events/types/test_event",
    "formats/codecs/av1":           "formats/test_av1_stream",
    "formats/codecs/h264_slice":    "formats/mpegts/test_video_stream",
    "formats/codecs/h265_slice":    "formats/mpegts/test_video_stream",
    "formats/codecs/mpeg2video":    "formats/test_new_codecs",
    "formats/codecs/opus":          "formats/test_new_codecs",
    "formats/codecs/vp9":           "formats/test_new_codecs",
    "formats/flv/audio":            "formats/flv/test_demuxer",
    "formats/flv/tag":              "formats/flv/test_demuxer",
    "formats/flv/video":            "formats/flv/test_demuxer",
    "formats/mp4/cut":              "formats/mp4/test_media",
    "formats/mp4/ilst":             "formats/mp4/test_progressive",
    "formats/mp4/in_band":          "formats/mp4/test_progressive",
    "formats/mp4/index_headers":    "formats/mp4/test_fragment_table",
    "formats/mp4/mdat":             "formats/mp4/test_progressive",
    "formats/mp4/moov":             "formats/mp4/test_progressive",
    "formats/mp4/movie":            "formats/mp4/test_fmp4",
    "formats/mp4/sample_table":     "formats/mp4/test_fragment_table",
    "formats/mp4/shown":            "formats/mp4/test_progressive",
    "formats/mpegts/lane":          "formats/mpegts/test_mux",
    "formats/mpegts/stream_types":  "formats/mpegts/test_psi",
    "formats/pictures/coded":         "formats/pictures/test_access_unit",
    "formats/pictures/config":      "formats/mpegts/test_video_stream",
    "formats/pictures/parameter_sets": "formats/mpegts/test_video_stream",
    "formats/pictures/random_access": "formats/mpegts/test_video_stream",
    "formats/pictures/reader":      "formats/mpegts/test_video_stream",
    "formats/pictures/syntax":      "formats/mpegts/test_video_stream",
    "formats/taken":                "formats/mp4/test_progressive",
    "ingest/fake/encoder":          "ingest/fake/test_input",
    "ingest/fake/picture":          "ingest/fake/test_input",
    "ingest/file/container":        "ingest/file/test_input",
    "ingest/file/loop":             "ingest/file/test_input",
    "ingest/http/gather":           "ingest/http/test_push",
    "ingest/publish/input":         "ingest/test_inputs",
    "ingest/udp/socket":            "ingest/udp/test_input",
    "live/anchor":                  "live/test_stalls",
    "live/cutter":                  "live/test_segmenter",
    "live/jumped":                  "live/test_segmenter",
    "live/lane":                    "live/test_lane_durations",
    "playback/files/mp4":           "playback/files/test_windows",
    "playback/files/split":         "playback/files/test_windows",
    "playback/fragments":           "playback/test_cursor",
    "playback/hls/blocks":          "playback/hls/test_windows",
    "playback/hls/track_sets":      "web/test_track_sets",
    "playback/pictures/pictures":   "web/media/test_pictures",
    "playback/playback":            "web/media/test_routes",
    "playback/segments":            "playback/test_changes",
    "playback/selection":           "playback/test_inits",
    "playback/silence":             "web/test_track_sets",
    "playback/sources":             "playback/hls/test_windows",
    "playback/ts/exports":          "playback/test_deletions",
    "playback/ts/segments":         "playback/ts/test_continuity",
    "playback/ts/streams":          "playback/ts/test_continuity",
    "playback/view":                "playback/hls/test_windows",
    "urls/commands":                "urls/test_paths",
    "urls/numbers":                 "urls/test_paths",
    "urls/values":                  "urls/test_paths",
    "urls/xtream":                  "urls/test_paths",
    "web/metrics":                  "integration/test_metrics",
    "web/root":                     "access/test_api_routes",
    "web/api/clock":                "access/test_api_routes",
    "web/api/consistency":          "integration/test_admin_api",
    "web/api/dvrs":                 "web/api/test_api_pending",
    "web/api/events":               "integration/test_events",
    "web/api/exports":              "integration/test_admin_api",
    "web/api/legacy":               "integration/test_admin_api",
    "web/api/moments":              "web/api/test_range_page",
    "web/api/schema":               "web/api/test_api_schema_document",
    "web/api/sessions":             "integration/test_viewers",
    "web/api/site":                 "access/test_api_routes",
    "web/http/address":             "web/http/test_auth",
    "web/http/send_completion":     "integration/test_usage",
    "web/http/transfer":            "web/http/test_sender",
    "web/media/admission":          "web/media/test_routes",
    "web/media/usage":              "integration/test_usage",
    "web/media/viewer":             "web/media/test_gate",
}  # fmt: skip

MODULES = sorted(
    file.relative_to(PACKAGE).with_suffix("").as_posix() for file in PACKAGE.rglob("*.py") if file.stem != "__init__"
)


def test_file(module: str) -> Path:
    """Where the test of a module lies, if it has its own."""
    room, _, name = module.rpartition("/")
    return TESTS / room / f"test_{name}.py"


test_file.__test__ = False  # type: ignore[attr-defined]


@cache
def parts(path: Path) -> frozenset[Path]:
    """The files of the package and of the tests that one of them imports."""
    found = set()
    for name in [*imports(path.read_text()), *imports(path.read_text(), "tests")]:
        steps = name.split(".")
        for place in (PACKAGE, TESTS):
            for end in range(1, len(steps) + 1):
                whole = place.joinpath(*steps[:end])
                found |= {one for one in (whole.with_suffix(".py"), whole / "__init__.py") if one.is_file()}
    return frozenset(found)


def reached(path: Path) -> set[Path]:
    """All that a file imports, directly or through others."""
    known, waiting = {path}, [path]
    while waiting:
        new = parts(waiting.pop()) - known
        known |= new
        waiting += new
    return known


def named(module: str) -> list[str]:
    """The test modules that the first line of a module names, for editors and trial."""
    line = (PACKAGE / f"{module}.py").read_text().partition("\n")[0]
    return line.partition("test-case-name:")[2].removesuffix("-*-").replace(",", " ").split()


def test_every_module_has_its_test() -> None:
    without = [
        module
        for module in MODULES
        if module not in PLAIN | COVERED.keys() and not named(module) and not test_file(module).is_file()
    ]
    assert without == [], "name the file that tests them, in their first line or in COVERED"


def test_the_table_names_what_is_there_and_needed() -> None:
    assert [module for module in PLAIN | COVERED.keys() if module not in MODULES] == []
    assert [module for module in PLAIN | COVERED.keys() if test_file(module).is_file()] == []


@pytest.mark.parametrize("test", sorted(set(COVERED.values())))
def test_the_named_files_reach_the_modules(test: str) -> None:
    path = TESTS / f"{test}.py"
    assert path.is_file()
    if test.startswith("integration/"):
        return  # these start a server
    modules = {PACKAGE / f"{module}.py" for module, covering in COVERED.items() if covering == test}
    assert modules - reached(path) == set()


def test_the_names_in_first_lines_exist() -> None:
    stale = [
        f"{module}: {name}"
        for module in MODULES
        for name in named(module)
        if not (TESTS.parent / (name.replace(".", "/") + ".py")).is_file()
    ]
    assert stale == []
