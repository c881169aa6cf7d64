"""
CPU per megabyte of a large body: flussdvr's Transfer and nginx's sendfile side by side.

    python bench/sendfile.py [MEGABYTES]

Each serves the same file over loopback to `curl -o /dev/null`, three times; the server's CPU is utime+stime of
/proc/PID/stat, children included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SERVER = """
import sys
from twisted.internet import reactor
from klein import Klein
from flussdvr.archive.body import Body, Extent
from flussdvr.threads import Pool
from flussdvr.web.sender import Sender
from flussdvr.web.site import Site
app = Klein()
pool = Pool(reactor, "read", 4)
sender = Sender(reactor, lambda path: pool, pool)
path, size = sys.argv[1], int(sys.argv[2])
@app.route("/file")
async def file(request):
    await sender.send(Body((Extent(path, 0, size),)), request)
port = reactor.listenTCP(0, Site(app.resource(), reactor), interface="127.0.0.1")
print(port.getHost().port, flush=True)
reactor.run()
"""

NGINX = """
daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; tcp_nopush on; server {{ listen 127.0.0.1:{port}; root {dir}; }} }}
"""


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def measure(name: str, pid: int, url: str, megabytes: int, *options: str) -> None:
    for _ in range(3):
        cpu, begun = cpu_seconds(pid), time.perf_counter()
        subprocess.run(["curl", "-s", "-o", "/dev/null", *options, url], check=True)
        seconds = time.perf_counter() - begun
        used = (cpu_seconds(pid) - cpu) * 1000
        print(f"{name:9} {used / megabytes:.3f} ms/MB  {megabytes / seconds:6.0f} MB/s  ({used:.0f} ms)")


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = Path(directory, "file")
        block = os.urandom(1 << 20)
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(block)
        Path(directory, "nginx.conf").write_text(NGINX.format(dir=directory, port=18099))
        nginx = subprocess.Popen(["nginx", "-c", f"{directory}/nginx.conf", "-g", "user root;"])
        ours = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(path), str(megabytes << 20)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert ours.stdout is not None
            port = ours.stdout.readline().strip()
            time.sleep(0.5)
            for options in ((), ("--limit-rate", "200M")):
                print(*options)
                measure("nginx", nginx.pid, "http://127.0.0.1:18099/file", megabytes, *options)
                measure("flussdvr", ours.pid, f"http://127.0.0.1:{port}/file", megabytes, *options)
        finally:
            for process in (ours, nginx):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
