"""An object store: rclone serves a directory as S3, its buckets are the directories in it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.lab.server import free_port

KEY, SECRET = "KEYOFTHESTORE", "se/cr+et@OFTHESTORE"


class Store:
    """It lets `KEY` in, with `SECRET`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "bucket").mkdir(parents=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Store:
        rclone = Path(sys.executable).with_name("rclone")
        command = [str(rclone), "serve", "s3", "--config", "", "--addr", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            [*command, "--auth-key", f"{KEY},{SECRET}", str(self.folder)], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the store does not answer")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def root(self, prefix: str, bucket: str = "bucket", secret: str = SECRET) -> str:
        """For `export_root`."""
        return f"s3://{KEY}:{secret}@127.0.0.1:{self.port}/{bucket}/{prefix}"

    def url(self, path: str, bucket: str = "bucket") -> str:
        return f"s3://127.0.0.1:{self.port}/{bucket}/{path}"

    def objects(self) -> list[str]:
        """Everything that is in it, also what is half done."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
