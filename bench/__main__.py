"""Runs the benchmarks and prints one table."""

from __future__ import annotations

import importlib
import json
import sys

from bench.measure import FOLDER, HEADER, Result

NAMES = (
    "record",
    "export",
    "download",
    "segments",
    "playlist",
    "ranges",
    "pictures",
    "admin",
    "sessions",
    "startup",
    "timeline",
)


def main() -> int:
    names = sys.argv[1:] or list(NAMES)
    if unknown := set(names) - set(NAMES):
        print(f"unknown benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    results: list[Result] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found: list[Result] = importlib.import_module(f"bench.{name}").run()
        print("\n".join(result.row() for result in found), file=sys.stderr, flush=True)
        results += found
    print(HEADER)
    for result in results:
        print(result.row())
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "results.json").write_text(json.dumps([result.values() for result in results], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
