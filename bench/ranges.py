"""What is recorded in 30 days: `recording_status.json` of a stream with 720 blobs, on a disk that is not there."""

from __future__ import annotations

import os

from bench.client import Connection, get
from bench.measure import Result, median
from bench.recordings import DAYS, T0_MS, month
from bench.served import served

REQUESTS = 200


def run() -> list[Result]:
    archive = month()
    archive.restore()
    first, later = [], []
    with served(archive) as server:
        hidden = archive.root + ".hidden"
        os.rename(archive.root, hidden)  # whoever walked the disk would find nothing
        try:
            window = f"from={T0_MS // 1000}&to={T0_MS // 1000 + DAYS * 86400}"
            for number in range(50):
                path = f"/s{number}/recording_status.json?{window}"
                answer = get(server.http, path, keep=True)
                assert b'"duration": ' in answer.body and answer.body.count(b"from") == 1, answer.body
                first.append(answer.total_s)
            connection = Connection(server.http)
            later = [connection.get(path).total_s for _ in range(REQUESTS)]
            connection.close()
        finally:
            os.rename(hidden, archive.root)
    name = "what is recorded in 30 days of blobs (720)"
    return [
        Result(f"{name}, first", "ms", median(first) * 1000, None, None, "<= 10 ms", median(first) <= 0.01),
        Result(f"{name}, then", "ms", median(later) * 1000, None, None, "<= 10 ms", median(later) <= 0.01),
    ]
