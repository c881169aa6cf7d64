"""
The server's own secret: 32 random bytes in `<state_dir>/secret.key`, made at the first start, readable by nobody else.

    secret.key --derive("links")--> a key for links
               --derive(...)------> another for something else; none tells anything of the others

Deleting the file invalidates everything that was signed with it.
"""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field

from flussdvr.body.files import sync_directory
from flussdvr.errors import DvrError, Kind

FILE = "secret.key"
SIZE = 32


@dataclass(frozen=True, slots=True)
class Secret:
    """`key`: 32 bytes; only `derive` looks at them."""

    key: bytes = field(repr=False)

    @classmethod
    def load(cls, state_dir: str) -> Secret:
        """
        That of this server, made durably if there is none yet. Blocks on the disk.

        DvrError CORRUPT if the file holds anything else; OSError.
        """
        path = os.path.join(state_dir, FILE)
        try:
            key = _read(path)
        except FileNotFoundError:
            _make(state_dir, path)
            key = _read(path)
        if len(key) != SIZE:
            raise DvrError(Kind.CORRUPT, "bad_secret", f"{path} does not hold {SIZE} bytes; delete it to have it made")
        return cls(key)

    @classmethod
    def passing(cls) -> Secret:
        """One that is nowhere kept, where no file can be: what it signs is worth nothing after this process."""
        return cls(secrets.token_bytes(SIZE))

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose: one block of HKDF-Expand (RFC 5869)."""
        return hmac.digest(self.key, purpose.encode() + b"\x01", "sha256")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(SIZE + 1)


def _make(state_dir: str, path: str) -> None:
    """Whole or not at all; that of another who was faster stays."""
    os.makedirs(state_dir, exist_ok=True)
    draft = f"{path}.{secrets.token_hex(8)}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(fd)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
    sync_directory(state_dir)
