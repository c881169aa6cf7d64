"""
`flussdvr`: the operator's tools. They work without the server, and `redate` with it.

    flussdvr check-config FILE                           is the configuration right, and what does it amount to
    flussdvr reindex ROOT [--state-dir DIR]              rebuild what can be rebuilt from the blobs
    flussdvr fsck ROOT [--repair] [--state-dir DIR]      is the archive whole
    flussdvr redate ROOT [STREAM] [--shift SECONDS]      date anew what was recorded while the clock was wrong
    flussdvr rename OLD NEW [--config FILE]              give a stream and its recordings another name
    flussdvr cut ROOT STREAM FROM DURATION OUT.mp4       a window of the archive as one MP4 file

0: done, nothing wrong. 1: something is wrong, said in one line (of a configuration: each thing in its own). 2: usage.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Protocol, cast

from flussdvr import __version__
from flussdvr.commands.running_server import RunningServer
from flussdvr.config import ConfigErrors, load_config, write_config
from flussdvr.config.errors import Misread
from flussdvr.config.names import stream_name_problem
from flussdvr.config.overrides import check_neighbours
from flussdvr.config.values import read_duration
from flussdvr.errors import DvrError, FormatError
from flussdvr.timeline import MILLISECOND_DIGITS

DEFAULT_CONFIG = "/etc/flussdvr/flussdvr.conf"
_NUMBER = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # `| head` is no error; without this the interpreter complains once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except DvrError as error:
        return _fail(error.title)
    except OSError as error:
        about = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{about}{error.strerror or error}")
    except ConfigErrors as error:
        return _fail(str(error.errors[0]))
    except FormatError as error:
        return _fail(str(error))
    except Exception as error:  # a defect of ours; an operator is not helped by a traceback
        if os.environ.get("FLUSSDVR_TRACEBACK"):
            raise
        return _fail(f"{type(error).__name__}: {error} (FLUSSDVR_TRACEBACK=1 shows where)")


def _fail(message: str, code: int = 1) -> int:
    print("flussdvr: " + " ".join(message.split()), file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flussdvr",
        description="Tools for the configuration and the archive of the flussdvr server.",
        epilog="The server itself: twist --log-format=text flussdvr --config FILE",
    )
    parser.add_argument("--version", action="version", version=f"flussdvr {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser(
        "check-config",
        help="check a configuration file and print what it amounts to",
        description="Reads FILE and the *.conf in conf.d/ beside it. Prints the effective configuration, with "
        "templates and references applied, or every error with file, line and column.",
    )
    check.add_argument("file", metavar="FILE")
    check.add_argument("--show-secrets", action="store_true", help="print passwords, keys and tokens, not ***")
    check.add_argument("--defaults", action="store_true", help="print also what is so by default")
    check.add_argument("--quiet", action="store_true", help="print errors and warnings only")
    check.set_defaults(run=_check_config)

    reindex = commands.add_parser(
        "reindex",
        help="rebuild indexes from the recordings",
        description="Walks the recordings under ROOT and rebuilds what is derived from them: their indexes, and with "
        "--state-dir the catalog of the server that is stopped meanwhile.",
    )
    reindex.add_argument("root", metavar="ROOT", help="a DVR root, as in the configuration")
    reindex.add_argument("--state-dir", metavar="DIR", help="the state_dir whose catalog is repaired too")
    reindex.set_defaults(run=_reindex)

    redate = commands.add_parser(
        "redate",
        help="date anew what was recorded while the clock was wrong",
        description="Dates anew the recordings under ROOT (of STREAM) that were set aside because the clock was wrong. "
        "A server that uses ROOT does it itself: it is found by its configuration, or told by --server.",
        epilog="Example: flussdvr redate /storage cam7 --shift=-86400",
    )
    redate.add_argument("root", metavar="ROOT", help="a DVR root, as in the configuration")
    redate.add_argument("stream", metavar="STREAM", nargs="?")
    redate.add_argument("--list", action="store_true", help="only print what is set aside, and by how much it is wrong")
    redate.add_argument(
        "--shift", "--by", dest="by_ms", metavar="SECONDS", type=shift_ms, help="what to add to the dates"
    )
    redate.add_argument(
        "--at", dest="at_ms", metavar="TIME", type=utc_ms, help="when the recording that --begin names really began"
    )
    redate.add_argument(
        "--begin", dest="begin_ms", metavar="TIME", type=utc_ms, help="only the recording of STREAM that begins then"
    )
    redate.add_argument("--server", metavar="URL", help="of the server that uses ROOT: http://USER:PASSWORD@HOST:PORT")
    redate.add_argument("--config", metavar="FILE", help=f"its configuration; default: {DEFAULT_CONFIG}")
    redate.set_defaults(run=_redate)

    fsck = commands.add_parser(
        "fsck",
        help="check the recordings",
        description="Checks every recording under ROOT against its index. Exits with 1 if anything is wrong.",
    )
    fsck.add_argument("root", metavar="ROOT", help="a DVR root, as in the configuration")
    fsck.add_argument("--repair", action="store_true", help="repair what can be repaired")
    fsck.add_argument("--state-dir", metavar="DIR", help="the state_dir whose catalog is compared too")
    fsck.set_defaults(run=_fsck)

    rename = commands.add_parser(
        "rename",
        help="give a stream and its recordings another name",
        description="Moves the recordings of the stream OLD, its locks and what the API has changed of it to the name "
        "NEW, on all DVR roots. The server must be stopped. If it is interrupted, run it again.",
    )
    rename.add_argument("old", metavar="OLD")
    rename.add_argument("new", metavar="NEW")
    rename.add_argument("--config", metavar="FILE", default=DEFAULT_CONFIG, help=f"default: {DEFAULT_CONFIG}")
    rename.set_defaults(run=_rename)

    cut = commands.add_parser(
        "cut",
        help="write a window of the archive to an MP4 file",
        description="Writes what STREAM has recorded from FROM on, DURATION long, to OUT.mp4, which must not exist.",
        epilog="Example: flussdvr cut /storage news 2026-11-20T17:00:00Z 90m programme.mp4",
    )
    cut.add_argument("root", metavar="ROOT", help="a DVR root, as in the configuration")
    cut.add_argument("stream", metavar="STREAM")
    cut.add_argument(
        "from_ms",
        metavar="FROM",
        type=utc_ms,
        help="seconds since 1970 UTC (12 digits or more: milliseconds), or a time such as 2026-11-20T17:00:00Z; "
        "a time without a zone is UTC",
    )
    cut.add_argument(
        "duration_ms", metavar="DURATION", type=duration_ms, help="seconds (1800, 2.5) or with units: 90s, 30m, 1h30m"
    )
    cut.add_argument("out", metavar="OUT.mp4")
    cut.set_defaults(run=_cut)
    return parser


def utc_ms(text: str) -> int:
    """A moment of the command line as UTC milliseconds; ArgumentTypeError where it is none."""
    if found := _NUMBER.fullmatch(text):
        whole = int(found[1])
        if len(found[1]) >= MILLISECOND_DIGITS:
            return whole
        return whole * 1000 + int((found[2] or "").ljust(3, "0")[:3])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected seconds or a time as 2026-11-20T17:00:00Z: {text!r}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def shift_ms(text: str) -> int:
    """Seconds, perhaps negative, of the command line in milliseconds; ArgumentTypeError where it is none."""
    found = _NUMBER.fullmatch(text.lstrip("+-"))
    if found is None or len(text) > len(text.lstrip("+-")) + 1:
        raise argparse.ArgumentTypeError(f"expected seconds such as -86400 or 12.5: {text!r}")
    value = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0")[:3])
    return -value if text.startswith("-") else value


def duration_ms(text: str) -> int:
    """A positive duration of the command line in milliseconds; ArgumentTypeError where it is none."""
    try:
        found = _NUMBER.fullmatch(text)
        value = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0")[:3]) if found else read_duration(text) * 1000
    except Misread:
        value = 0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a duration such as 1800, 30m, 1h30m: {text!r}")
    return value


def _check_config(arguments: argparse.Namespace) -> int:
    try:
        config = load_config(arguments.file)
    except ConfigErrors as errors:
        for finding in [*errors.warnings, *errors.errors]:
            print(finding.explain(), file=sys.stderr)
        count = len(errors.errors)
        print(f"flussdvr: {count} error{'s' if count != 1 else ''} in {arguments.file}", file=sys.stderr)
        return 1
    for finding in config.warnings:
        print(finding.explain(), file=sys.stderr)
    if not arguments.quiet:
        sys.stdout.write(write_config(config, arguments.show_secrets, arguments.defaults))
    return 0


class Tools(Protocol):
    """What `flussdvr.archive.tools` offers. A report is printed; one whose `ok` is False is the exit code 1."""

    def reindex(self, root: str, state_dir: str | None) -> object: ...
    def fsck(self, root: str, repair: bool, state_dir: str | None) -> object: ...
    def cut(self, root: str, stream: str, from_ms: int, duration_ms: int, out_path: str) -> object: ...


def _tools() -> Tools:
    # Only when asked for: they bring numpy and SQL, and a configuration can be checked without.
    return cast(Tools, import_module("flussdvr.archive.tools"))


def _reindex(arguments: argparse.Namespace) -> int:
    root = _directory(arguments.root)
    return _report(_tools().reindex(root, _state_dir(arguments)))


def _redate(arguments: argparse.Namespace) -> int:
    root = _directory(arguments.root)
    if arguments.begin_ms is not None and arguments.stream is None:
        return _fail("--begin needs STREAM", 2)
    if arguments.at_ms is not None and (arguments.begin_ms is None or arguments.by_ms is not None):
        return _fail("--at needs --begin, and no --shift", 2)
    redating, remote = import_module("flussdvr.archive.redate"), import_module("flussdvr.commands.redate_remotely")
    what = arguments.stream, arguments.by_ms, arguments.begin_ms, arguments.at_ms
    if arguments.list and arguments.server is None:
        print(redating.list_misdated(os.path.abspath(root)))
        return 0
    in_use = None
    if arguments.server is None:
        try:
            return _report(redating.redate(root, *what))
        except DvrError as error:
            if error.code != "root_in_use":
                raise
            in_use = error
    server = _running_server(arguments, in_use)
    if arguments.list:
        print(remote.list_remotely(server, root))
        return 0
    return _report(remote.redate_remotely(server, root, *what))


def _running_server(arguments: argparse.Namespace, in_use: DvrError | None) -> RunningServer:
    """The one that is told, or that of the configuration. DvrError `in_use` where that does not say enough."""
    if in_use is None:
        return RunningServer.at(arguments.server)
    try:
        found = RunningServer.of(load_config(arguments.config or DEFAULT_CONFIG))
    except (ConfigErrors, OSError):
        if arguments.config is not None:
            raise
        found = None
    if found is None:
        title = f"{in_use.title}: say how to ask it, --config FILE or --server http://USER:PASSWORD@HOST:PORT"
        raise DvrError(in_use.kind, in_use.code, title)
    return found


def _fsck(arguments: argparse.Namespace) -> int:
    root = _directory(arguments.root)
    return _report(_tools().fsck(root, arguments.repair, _state_dir(arguments)))


def _state_dir(arguments: argparse.Namespace) -> str | None:
    return None if arguments.state_dir is None else _directory(arguments.state_dir)


def _rename(arguments: argparse.Namespace) -> int:
    try:
        config = load_config(arguments.config)
    except ConfigErrors as errors:
        return _fail(str(errors.errors[0]))
    if problem := stream_name_problem(arguments.new):
        return _fail(problem)
    check_neighbours(arguments.new, set(config.streams) - {arguments.old})
    renaming = import_module("flussdvr.archive.renaming")
    print(renaming.rename_stream(config.roots, config.state_dir, arguments.old, arguments.new))
    if arguments.old in config.streams:
        print(f"{arguments.config} still has a stream {arguments.old}: rename it there too, before the server starts")
    return 0


def _cut(arguments: argparse.Namespace) -> int:
    root = _directory(arguments.root)
    if os.path.lexists(arguments.out):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), arguments.out)
    _tools().cut(root, arguments.stream, arguments.from_ms, arguments.duration_ms, arguments.out)
    return 0


def _directory(root: str) -> str:
    os.listdir(root)  # raises the OSError that says what is wrong with it
    return root


def _report(report: object) -> int:
    print(report)
    return 0 if getattr(report, "ok", True) else 1


if __name__ == "__main__":
    sys.exit(main())
