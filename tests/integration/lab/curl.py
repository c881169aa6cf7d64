"""Real curl against a server, as a person types it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def curl(*arguments: str, user: str | None = "admin:secret") -> Answer:
    """`curl -s -u USER ARGUMENTS`."""
    command = ["curl", "-s", "--max-time", "60", "-w", "\n%{http_code}"]
    command += ["-u", user] if user is not None else []
    done = subprocess.run([*command, *arguments], capture_output=True, check=True, timeout=70)
    body, _, status = done.stdout.rpartition(b"\n")
    return Answer(int(status), body)


class Api:
    """The API of the server at an HTTP port; `base` is either of its two."""

    def __init__(self, http: int, base: str = "/streamer/api/v3", user: str | None = "admin:secret") -> None:
        self.url = f"http://127.0.0.1:{http}{base}"
        self.user = user

    def __call__(self, method: str, path: str, body: Any = None) -> Answer:
        arguments = ["-X", method, self.url + path]
        if body is not None:
            arguments += ["-H", "Content-Type: application/json", "--data", json.dumps(body)]
        return curl(*arguments, user=self.user)

    def get(self, path: str) -> Any:
        answer = self("GET", path)
        assert answer.status == 200, f"{path}: {answer.status} {answer.body!r}"
        return answer.json
