"""
Whatever comes in by any port gets a clear answer, and no other stream notices.

One server for all of it: `cam`, a well-behaved neighbour, is recorded the whole time and checked at the end.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.lab.playlist import segments, uninterrupted
from tests.integration.lab.server import Server, free_port
from tests.integration.lab.transport import WRAP_S, broadcast, heavy, lossy, reordered, torn
from tests.integration.lab.wait import TIMEOUT_S
from tests.integration.lab.watch import ffmpeg_complaints, pictures

pytestmark = pytest.mark.alone

FPS = 25
RECORDED_S = 12
MIB = 1 << 20


@pytest.fixture(scope="module")
def udp_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, udp_port: int) -> Iterator[Server]:
    published = [f"stream {name} {{ input publish://; dvr @main; segment_duration 2; }}" for name in PUBLISHED]
    streams = f"""
        stream cam {{ input fake://?size=320x180&fps={FPS}&bitrate=400k; dvr @main; segment_duration 2; }}
        stream udp {{ input udp://127.0.0.1:{udp_port}; input_timeout 3; dvr @main; segment_duration 2; }}
        stream locked {{ input publish://; password letmein; }}
        {" ".join(published)}
    """
    server = Server(tmp_path_factory.mktemp("bad_input"), streams)
    server.start()
    server.wait_recorded("cam", RECORDED_S)
    yield server
    server.stop()


PUBLISHED = ("lossy", "reordered", "torn", "jump", "wrap", "keyless", "onekey", "taken", "garbage", "heavy")


@pytest.fixture(autouse=True)
def still_well(server: Server) -> Iterator[None]:
    """After each test the server answers, and has not logged a traceback."""
    yield
    assert server.get("/streamer/api/v3/monitoring/liveness").status == 200
    assert "Traceback" not in server.log.read_text()


# -- what is sent to us -----------------------------------------------------------------------------------------------


def publish(server: Server, name: str, body: bytes) -> tuple[int, str]:
    """`PUT name/mpegts`: status and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=TIMEOUT_S)
    try:
        connection.request("PUT", f"/{name}/mpegts", body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def spans(server: Server, name: str, at_least_s: float = 0) -> list[tuple[float, float]]:
    """What is recorded without a gap, to the millisecond, once there is so much of it."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        found: list[tuple[float, float]] = []
        ranges = server.ranges(name) if server.get(f"/{name}/recording_status.json").status == 200 else []
        if ranges:
            path = f"/{name}/mono-{ranges[0][0]}-{ranges[-1][1] - ranges[0][0] + 1}.fmp4.m3u8"
            response = server.get(path)
            found = uninterrupted(segments(response.read().decode()) if response.status == 200 else [])
        if sum(end - begin for begin, end in found) >= at_least_s or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def export(server: Server, name: str, begin: float, end: float) -> str:
    return server.url(f"/{name}/archive-{begin:.3f}-{end - begin:.3f}.mp4")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("lossy", lambda data: lossy(data, 0.02)),
        ("reordered", lambda data: reordered(data, 4, 0.02)),
        ("torn", lambda data: torn(data, 30)),
    ],
)
def test_damaged_transport_streams(server: Server, name: str, damage: object) -> None:
    """What is whole in them is recorded and plays, and then a good stream is welcome."""
    assert callable(damage)
    status, answer = publish(server, name, damage(broadcast(10)))
    assert status == 204, answer
    time.sleep(0.5)  # it is written to the disk
    for begin, end in spans(server, name, 7):
        shown = [picture.utc_s for picture in pictures(export(server, name, begin, end), FPS)]
        assert len(shown) > 0.6 * (end - begin) * FPS
        assert sum(at is not None for at in shown) > 0.6 * len(shown)  # the others have lost a piece
    check_good_stream(server, name)


def check_good_stream(server: Server, name: str) -> None:
    """After whatever has happened to it, a stream takes a good broadcast, and records all of it."""
    before = sum(end - begin for begin, end in spans(server, name))
    assert publish(server, name, broadcast(4, 1_800_000_000))[0] == 204
    _, end = spans(server, name, before + 3.9)[-1]
    shown = [picture.utc_s for picture in pictures(export(server, name, end - 4, end), FPS)]
    assert shown == pytest.approx([1_800_000_000 + number / FPS for number in range(4 * FPS)], abs=1e-3)


def test_a_jump_of_the_timestamps_is_a_gap(server: Server) -> None:
    """All sides of it are recorded whole."""
    second = 1_700_000_000
    body = broadcast(4, second) + broadcast(4, second + 4, 3600) + broadcast(4, second + 8, 100)
    assert publish(server, "jump", body)[0] == 204
    recorded = spans(server, "jump", 11.8)
    shown = [p.utc_s for begin, end in recorded for p in pictures(export(server, "jump", begin, end), FPS)]
    assert shown == sorted(at for at in shown if at is not None)
    assert len(set(shown)) >= 12 * FPS - 2  # nothing says that the last picture before a jump is whole
    assert all(ffmpeg_complaints(export(server, "jump", begin, end)) == "" for begin, end in recorded)


def test_the_wrap_of_33_bits_is_nothing(server: Server) -> None:
    assert publish(server, "wrap", broadcast(10, offset_s=WRAP_S - 5))[0] == 204
    ((begin, end),) = spans(server, "wrap", 9.9)
    shown = [p.utc_s for p in pictures(export(server, "wrap", begin, end), FPS)]
    assert shown == pytest.approx([1_700_000_000 + number / FPS for number in range(10 * FPS)], abs=1e-3)
    assert ffmpeg_complaints(export(server, "wrap", begin, end)) == ""


@pytest.mark.parametrize(("name", "first_key"), [("keyless", False), ("onekey", True)])
def test_a_minute_without_a_key_frame(server: Server, name: str, first_key: bool) -> None:
    """150 MB of pictures that nothing can begin with: they are dropped, or given up as a segment at 64 MiB."""
    body = heavy(60, 100_000, {0} if first_key else set())
    before = memory(server)
    status, answer = publish(server, name, body)
    assert status == 204, answer
    time.sleep(0.5)
    assert memory(server) - before < 150 * MIB
    check_good_stream(server, name)


def memory(server: Server) -> int:
    """Resident bytes of the server."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def rtmp_complaint(server: Server, address: str) -> str:
    """What ffmpeg says when it publishes there."""
    command = ["ffmpeg", "-v", "error", "-re", "-f", "mpegts", "-i", "pipe:0", "-c", "copy", "-f", "flv", address]
    done = subprocess.run(command, input=broadcast(4), capture_output=True, timeout=TIMEOUT_S, check=False)
    return done.stderr.decode() if done.returncode else ""


def test_a_second_publisher_is_told_why_not(server: Server) -> None:
    body = broadcast(4)
    with socket.create_connection(("127.0.0.1", server.http)) as first:
        first.sendall(b"PUT /taken/mpegts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        first.sendall(b"%x\r\n%s\r\n" % (len(body) // 2, body[: len(body) // 2]))
        time.sleep(0.5)
        status, answer = publish(server, "taken", broadcast(2))
        assert status == 409
        assert json.loads(answer)["errors"][0]["code"] == "already_published"
        assert "already being published by mpegts 127.0.0.1" in answer
        assert "already being published" in rtmp_complaint(server, f"rtmp://127.0.0.1:{server.rtmp}/live/taken")
        first.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) - len(body) // 2, body[len(body) // 2 :]))
        assert first.recv(100).startswith(b"HTTP/1.1 204 ")
    assert len(spans(server, "taken", 3.9)) == 1  # the first was not disturbed


def test_publishers_of_nothing(server: Server) -> None:
    status, answer = publish(server, "nobody/knows", broadcast(2))
    assert (status, json.loads(answer)["errors"][0]["code"]) == (404, "stream_not_found")
    status, answer = publish(server, "cam", broadcast(2))
    assert (status, json.loads(answer)["errors"][0]["code"]) == (403, "not_publishable")
    status, answer = publish(server, "locked", broadcast(2))
    assert (status, json.loads(answer)["errors"][0]["code"]) == (403, "wrong_password")
    rtmp = f"rtmp://127.0.0.1:{server.rtmp}/live"
    assert "There is no stream" in rtmp_complaint(server, f"{rtmp}/unknown")
    assert "has no publish:// input" in rtmp_complaint(server, f"{rtmp}/cam")
    assert "needs its password" in rtmp_complaint(server, f"{rtmp}/locked?password=wrong")
    assert rtmp_complaint(server, f"{rtmp}/locked?password=letmein") == ""


@pytest.mark.parametrize("port", ["http", "rtmp"])
def test_garbage_on_a_port(server: Server, port: str) -> None:
    """Each connection is answered or closed before long, and none is kept for ever."""
    chance = random.Random(3)
    noise = [chance.randbytes(5000) for _ in range(10)]
    noise += [b"\x03" + chance.randbytes(1536) + chance.randbytes(9000)]  # an RTMP handshake, then noise
    noise += [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" * 50, b"\r\n" * 9]
    noise += [b"GET /" + b"a" * 100_000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000, b"\0" * 300_000]
    before = memory(server)
    for data in noise:
        with socket.create_connection(("127.0.0.1", getattr(server, port)), timeout=TIMEOUT_S) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:  # we were cut off before we had said everything
                continue
    assert memory(server) - before < 30 * MIB


def test_garbage_on_a_udp_port(server: Server, udp_port: int) -> None:
    """Noise of every size between the packets of a stream, which is recorded as if there were none."""
    chance = random.Random(4)
    body = broadcast(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for at in range(0, len(body), 1316):
            sender.sendto(body[at : at + 1316], ("127.0.0.1", udp_port))
            sender.sendto(chance.randbytes(chance.choice([0, 1, 12, 187, 188, 1316, 1400])), ("127.0.0.1", udp_port))
            time.sleep(0.01)
    recorded = spans(server, "udp", 3.9)
    shown = [p.utc_s for begin, end in recorded for p in pictures(export(server, "udp", begin, end), FPS)]
    assert shown == pytest.approx([1_700_000_000 + number / FPS for number in range(4 * FPS)], abs=1e-3)


def test_a_body_that_is_no_transport_stream(server: Server) -> None:
    chance = random.Random(5)
    with socket.create_connection(("127.0.0.1", server.http), timeout=TIMEOUT_S) as connection:
        connection.sendall(b"PUT /garbage/mpegts HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        try:
            for _ in range(80):
                connection.sendall(chance.randbytes(100_000))
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            assert b"no MPEG-TS" in connection.recv(65536)
        except ConnectionResetError:
            pass  # it had gone on sending after it was told
    assert publish(server, "garbage", broadcast(2))[0] == 204


# -- what is asked of us ----------------------------------------------------------------------------------------------


def ask(server: Server, target: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """A request whose target nobody tidies up: status, headers in lower case, body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=TIMEOUT_S)
    try:
        connection.putrequest(method, target, skip_host=False, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/nobody/index.m3u8", 404, "stream_not_found"),
        ("/nobody/archive-{begin}-5.mp4", 404, "stream_not_found"),
        ("/../etc/passwd", 400, "bad_request"),
        ("/cam/../../../../etc/passwd", 400, "bad_request"),
        ("/..%2f..%2fetc/index.m3u8", 400, "bad_request"),
        ("/%2e%2e/cam/index.m3u8", 400, "bad_request"),
        ("/cam%00/index.m3u8", 400, "bad_request"),
        ("/cam%0d%0aX:y/index.m3u8", 404, "not_found"),
        ("/%ff%fe/index.m3u8", 400, "bad_request"),
        ("/cam/archive-99999999999999999999-5.mp4", 400, "bad_request"),
        ("/cam/archive-{begin}-0.mp4", 400, "bad_request"),
        ("/cam/archive-{begin}--5.mp4", 404, "not_found"),
        ("/cam/archive-x-y.mp4", 404, "not_found"),
        ("/cam/archive-{begin}-1e9.mp4", 404, "not_found"),
        ("/cam/archive-" + "9" * 3000 + "-5.mp4", 400, "bad_request"),
        ("/cam/rewind-0.m3u8", 400, "bad_request"),
        ("/cam/2026/13/45/99/99/99.000-02000.m4s", 404, "not_found"),
        ("/cam/2001/01/01/00/00/00.000-02000.m4s", 404, None),
        ("/cam/init-0000000000000000.mp4", 404, None),
        ("/cam/index.m3u8?utc=abc", 400, "bad_request"),
        ("/cam/tracks-x9/index.m3u8", 400, None),
        ("/cam/tracks-v9/mono.m3u8", 404, None),
        ("/cam/archive-1000000000-60.mp4", 404, "no_recordings"),
        ("/cam/archive-4000000000-60.mp4", 404, "no_recordings"),
        ("/cam/index-1000000000-60.m3u8", 404, "no_recordings"),
        ("/cam/index-4000000000-60.m3u8", 404, "no_recordings"),
        ("/cam/archive-1000000000-60.ts", 404, "no_recordings"),
        ("/cam/archive-4000000000-60.ts", 404, "no_recordings"),
        ("/cam/timeshift_abs-4000000000.m3u8", 404, "no_recordings"),
        ("/cam/timeshift_rel-100000.m3u8", 404, "no_recordings"),
        ("/cam/archive-4000000000-now.m3u8", 404, "no_recordings"),
    ],
)
def test_requests_that_mean_nothing(server: Server, target: str, status: int, code: str | None) -> None:
    begin = server.ranges("cam")[0][0]
    got, headers, body = ask(server, target.replace("{begin}", str(begin)))
    assert got == status, body
    assert headers["content-type"] == "application/json"
    assert headers["access-control-allow-origin"] == "*"
    answer = json.loads(body)
    assert answer["errors"][0]["status"] == str(status) and answer["errors"][0]["title"]
    if code is not None:
        assert answer["errors"][0]["code"] == answer["error"] == code


def test_a_window_that_reaches_beyond_what_is_recorded(server: Server) -> None:
    """It holds what there is, from its first frame."""
    begin = spans(server, "cam")[0][0]
    shown = [p.utc_s for p in pictures(server.url(f"/cam/archive-{int(begin) - 3600}-{3600 + 3}.mp4"), FPS)]
    assert shown[0] == pytest.approx(begin, abs=0.001)
    assert len(shown) == pytest.approx((int(begin) + 3 - begin) * FPS, abs=1)


def test_ranges_and_preconditions(server: Server) -> None:
    target = f"/cam/archive-{server.ranges('cam')[0][0] + 1}.250-9.5.mp4"
    status, headers, whole = ask(server, target)
    assert (status, int(headers["content-length"])) == (200, len(whole))
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-disposition"].startswith("attachment; filename=cam_")
    assert ask(server, target)[2] == whole
    head = ask(server, target, "HEAD")
    volatile = {"date", "x-session", "x-prepare-time", "connection"}
    assert {k: v for k, v in head[1].items() if k not in volatile} == {
        k: v for k, v in headers.items() if k not in volatile
    }
    assert (head[0], head[2]) == (200, b"")
    chance = random.Random(8)
    connection = http.client.HTTPConnection("127.0.0.1", server.http, timeout=TIMEOUT_S)
    for _ in range(100):
        first, last = sorted(chance.sample(range(len(whole)), 2))
        connection.request("GET", target, headers={"Range": f"bytes={first}-{last}"})
        answer = connection.getresponse()
        assert answer.read() == whole[first : last + 1], (first, last)
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    connection.close()
    etag = headers["etag"]
    assert ask(server, target, Range="bytes=-100")[2] == whole[-100:]
    assert ask(server, target, Range="bytes=5-9", If_Range=etag)[::2] == (206, whole[5:10])
    assert ask(server, target, Range="bytes=5-9", If_Range='"other"')[::2] == (200, whole)
    assert ask(server, target, If_None_Match=etag)[::2] == (304, b"")
    status, headers, _ = ask(server, target, Range=f"bytes={len(whole)}-")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(whole)}")


def test_players_of_other_sites_are_welcome(server: Server) -> None:
    for target in ("/cam/index.m3u8", "/cam/mono.ts.m3u8", f"/cam/archive-{server.ranges('cam')[0][0]}-2.mp4"):
        status, headers, _ = ask(server, target, "OPTIONS", Origin="http://x", Access_Control_Request_Headers="range")
        assert (status, headers["access-control-allow-origin"]) == (204, "*")
        assert "Range" in headers["access-control-allow-headers"]
        status, headers, _ = ask(server, target, Origin="http://x")
        assert (status, headers["access-control-allow-origin"]) == (200, "*")
        assert "Content-Range" in headers["access-control-expose-headers"]


def test_players_seek_freely_in_an_mp4(server: Server) -> None:
    begin = server.ranges("cam")[0][0] + 1
    url = server.url(f"/cam/archive-{begin}-9.mp4")
    chance = random.Random(9)
    for _ in range(12):
        at = chance.uniform(0, 8.5)
        picture = next(picture for picture in pictures(url, FPS, seek_s=at) if picture.at_s >= at - 0.001)
        assert picture.utc_s == pytest.approx(begin + picture.at_s, abs=0.001)
        assert picture.at_s - at <= 1 / FPS
    command = ["ffprobe", "-v", "error", "-read_intervals", "7%+#1", "-select_streams", "v"]
    command += ["-show_entries", "packet=pts_time", "-of", "csv=p=0", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    assert done.stderr == ""
    assert 4 <= float(done.stdout.strip().rstrip(",")) <= 7


# -- who does not listen ----------------------------------------------------------------------------------------------


def test_players_that_stop_reading(server: Server) -> None:
    """Their connections stay, cost hardly any memory, and go on where they stopped."""
    body = heavy(30, 40_000)
    assert publish(server, "heavy", body)[0] == 204
    begin, end = spans(server, "heavy", 29.9)[0]
    targets = [f"archive-{begin:.3f}-30.mp4", f"archive-{begin:.3f}-30.ts", f"timeshift_abs-{int(begin)}.ts", "mpegts"]
    whole = ask(server, f"/heavy/{targets[0]}")[2]
    assert len(whole) > 29_000_000
    before = memory(server)
    with ExitStack() as stack:
        asleep = []
        for target in targets * 5:
            player = socket.socket()
            player.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            player.settimeout(20)
            player.connect(("127.0.0.1", server.http))
            stack.enter_context(player)
            player.sendall(f"GET /heavy/{target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            asleep.append(player)
        for _ in range(3):
            assert publish(server, "heavy", body)[0] == 204  # for those who watch live
            time.sleep(1)
        settled = memory(server)
        assert settled - before < 150 * MIB  # of 20 x 30 MB and more
        for _ in range(3):
            assert publish(server, "heavy", body)[0] == 204
            time.sleep(1)
        print(f"\nmemory: {before >> 20}, with 20 players asleep {settled >> 20}, then {memory(server) >> 20} MiB")
        assert memory(server) - settled < 20 * MIB
        asleep[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
        data = bytearray()
        while len(data) < len(whole) + 100 and (piece := asleep[0].recv(MIB)):
            data += piece
            if len(data) - data.index(b"\r\n\r\n") - 4 >= len(whole):
                break
        assert data.partition(b"\r\n\r\n")[2] == whole


def test_the_neighbour_has_lost_nothing(server: Server) -> None:
    """Last: all this time `cam` was recorded, without a gap or a picture less."""
    time.sleep(3)
    ((begin, end),) = spans(server, "cam")
    assert time.time() - end < 6
    url = export(server, "cam", begin, end)
    times = [p.utc_s for p in pictures(url, FPS)]
    known = [at for at in times if at is not None]
    assert len(known) == len(times)
    assert known[0] == pytest.approx(begin, abs=0.001)
    assert max(b - a for a, b in pairwise(known)) < 0.5  # the test source skips pictures on a busy machine
    assert len(known) > (end - begin) * FPS * 0.9
    assert ffmpeg_complaints(url) == ""
