"""The service as an operator meets it: started, reloaded, stopped, misconfigured."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.lab.server import Server, free_port
from tests.integration.lab.wait import TIMEOUT_S, until

pytestmark = pytest.mark.long

FAKE = "input fake://?size=320x180&fps=10&gop=10; dvr @main; segment_duration 1;"


def hang_up(server: Server, streams: str) -> None:
    head, _, _ = server.config.read_text().partition("stream ")
    server.config.write_text(head + streams)
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGHUP)


def test_a_reload_touches_only_what_has_changed(serve: Callable[..., Server]) -> None:
    server = serve(f"stream same {{ {FAKE} }}\nstream gone {{ {FAKE} }}\nstream other {{ {FAKE} }}")
    for name in ("same", "gone", "other"):
        server.wait_recorded(name, 2)
    hang_up(server, f"stream same {{ {FAKE} }}\nstream other {{ {FAKE} title new; }}\nstream fresh {{ {FAKE} }}")
    server.wait_recorded("fresh", 2)
    assert server.get("/gone/index.m3u8").status == 404
    assert server.ranges("gone"), "its recordings stay"
    until("it happens", lambda: server.json("/other/media_info.json").get("title") == "new")
    before = server.ranges("same")[-1][1]
    until("it happens", lambda: server.ranges("same")[-1][1] >= before + 2)
    assert len(server.ranges("same")) == 1, "recorded without a gap"


def test_a_broken_file_changes_nothing_and_says_where(serve: Callable[..., Server]) -> None:
    server = serve(f"stream cam {{ {FAKE} }}")
    server.wait_recorded("cam", 1)
    hang_up(server, f"stream cam {{ {FAKE} segment_durration 7; }}")
    until("it happens", lambda: "segment_durration" in server.log.read_text())
    log = server.log.read_text()
    assert f"{server.config}:" in log and "segment_duration" in log
    before = server.ranges("cam")[-1][1]
    until("it happens", lambda: server.ranges("cam")[-1][1] >= before + 2)
    assert len(server.ranges("cam")) == 1


def test_sigterm_closes_what_is_open(serve: Callable[..., Server]) -> None:
    server = serve(f"stream cam {{ {FAKE} }}")
    server.wait_recorded("cam", 3)
    server.stop()  # within the time that it is given, or it would have had to be killed
    command = [sys.executable, "-m", "flussdvr", "fsck", str(server.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "has stopped" in server.log.read_text()


def test_cut_writes_a_file_while_the_server_runs(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(f"stream cam {{ {FAKE} }}")
    begin, _ = server.wait_recorded("cam", 5)[0]
    out = tmp_path / "cut.mp4"
    command = [sys.executable, "-m", "flussdvr", "cut", str(server.root), "cam", str(begin + 1), "2", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert out.read_bytes() == server.get(f"/cam/archive-{begin + 1}-2.mp4").read()


@pytest.mark.parametrize("program", ["twist", "twistd"])
def test_both_ways_to_start(program: str, tmp_path: Path) -> None:
    config, port = tmp_path / "f.conf", free_port()
    config.write_text(f"http 127.0.0.1:{port}; state_dir {tmp_path}/state;")
    binary = str(Path(sys.executable).parent / program)
    words = {"twist": ["flussdvr"], "twistd": ["-n", "--pidfile=", "flussdvr"]}[program]
    process = subprocess.Popen(
        [binary, *words, "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        import socket

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until("it happens", answers)
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=TIMEOUT_S)
    assert b"flussdvr is ready" in output


def run_with(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    config = tmp_path / "f.conf"
    config.write_text(text)
    command = [str(Path(sys.executable).parent / "twist"), "--log-format=text", "flussdvr", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_a_bad_configuration_ends_with_every_error(tmp_path: Path) -> None:
    done = run_with(tmp_path, "htpp 80;\nstream a { input bogus://x; }\n")
    assert done.returncode != 0
    assert "f.conf:1:1" in done.stderr and "http" in done.stderr
    assert "f.conf:2:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_ends_with_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_with(tmp_path, f"http 127.0.0.1:{port}; state_dir {tmp_path}/state;")
    assert done.returncode == 1
    assert str(port) in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_page_is_for_everybody_and_has_no_data(serve: Callable[..., Server]) -> None:
    server = serve("stream cam { input publish://; }")
    page = server.get("/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert b"cam" not in page.read()
    assert server.get("/cam/embed.html").status == 200
