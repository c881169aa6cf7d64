"""systemd's own journald takes what is sent to it: in a mount namespace of its own, where it can be run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

JOURNALD = Path("/lib/systemd/systemd-journald")
RUNNABLE = JOURNALD.exists() and shutil.which("journalctl") and shutil.which("unshare") and os.geteuid() == 0
SEND = """
import sys
from twisted.logger import Logger
from flussdvr.logs import journal
log = Logger(observer=journal.JournalObserver(journal.JournalWriter(journal.SOCKET), sys.exit), namespace="probe")
log.error("{stream} is not recorded:\\nbecause of {error}", stream="cam/7", error="Grüße", root="/storage")
log.info("large {stream} " + "x" * 300_000, stream="big")
"""
SCRIPT = f"""
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
[ -s /etc/machine-id ] || {{ echo 0123456789abcdef0123456789abcdef > /run/id; mount --bind /run/id /etc/machine-id; }}
{JOURNALD} 2> /run/errors &
journald=$!
trap 'kill $journald' EXIT
for n in $(seq 600); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
"$1" -c "$2" >&2
for n in $(seq 600); do
  journalctl --directory /run/log/journal --all --output json --no-pager SYSLOG_IDENTIFIER=flussdvr > /run/found
  [ "$(wc -l < /run/found)" -ge 2 ] && break
  sleep 0.1
done
cat /run/found
"""


@pytest.mark.skipif(not RUNNABLE, reason="systemd-journald, journalctl, unshare and root are needed")
def test_the_journal_of_systemd_takes_what_is_sent() -> None:
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/run"], capture_output=True).returncode:
        pytest.skip("no mount namespace can be made here")
    command = ["unshare", "-m", "bash", "-c", SCRIPT, "journal", sys.executable, SEND]
    done = subprocess.run(command, capture_output=True, timeout=150, check=True)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["MESSAGE"] == "cam/7 is not recorded:\nbecause of Grüße" and first["PRIORITY"] == "3"
    assert first["FLUSSDVR_STREAM"] == "cam/7" and first["FLUSSDVR_ROOT"] == "/storage"
    assert first["LOGGER"] == "probe" and first["_TRANSPORT"] == "journal"
    assert second["FLUSSDVR_STREAM"] == "big" and second["MESSAGE"].startswith("large big xxx")
    assert len(second["MESSAGE"]) > 60_000
