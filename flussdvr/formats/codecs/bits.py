"""
Bits: the reader that parameter sets and audio headers are parsed with.

    u(n)   unsigned, most significant bit first
    ue(v)  Exp-Golomb: n zeros, a one, n more bits
    se(v)  the same, mapped to 0, 1, -1, 2, -2 ...

ITU-T H.264 §7.2 and §9.1. Headers only, never sample data. Reading past the end is a `FormatError`, and no element
is longer than its standard allows, so a hostile header costs at most its own length.
"""

from __future__ import annotations

from flussdvr.errors import FormatError


class BitReader:
    """Reads `data` from its first bit; every method raises `FormatError` rather than read past the end."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = len(data) * 8
        self.position = 0

    @property
    def remaining(self) -> int:
        """How many bits are left."""
        return self._end - self.position

    def u(self, count: int) -> int:
        """An unsigned number of `count` bits."""
        begin = self.position
        end = begin + count
        if end > self._end:
            raise FormatError(f"bits are truncated: need {count}, have {self._end - begin}")
        self.position = end
        stop = (end + 7) >> 3
        return int.from_bytes(self._data[begin >> 3 : stop], "big") >> (stop * 8 - end) & ((1 << count) - 1)

    def flag(self) -> bool:
        """One bit."""
        position = self.position
        if position >= self._end:
            raise FormatError("bits are truncated: need 1, have 0")
        self.position = position + 1
        return bool(self._data[position >> 3] >> (~position & 7) & 1)

    def skip(self, count: int) -> None:
        """Pass over `count` bits."""
        if count > self.remaining:
            raise FormatError(f"bits are truncated: need {count}, have {self.remaining}")
        self.position += count

    def align(self) -> None:
        """Go to the next byte boundary, if not on one."""
        self.position = (self.position + 7) & ~7

    def ue(self) -> int:
        """An unsigned Exp-Golomb number, 0 to 2**32 - 2."""
        begin = self.position
        window = self._data[begin >> 3 : (begin >> 3) + 9]  # 63 bits of code behind up to 7 others
        left = len(window) * 8 - (begin & 7)
        value = int.from_bytes(window, "big") & ((1 << left) - 1)
        zeros = left - value.bit_length()
        if zeros > 31:
            raise FormatError("Exp-Golomb code is longer than 32 bits")
        left -= 2 * zeros + 1
        if left < 0:
            raise FormatError("bits are truncated in an Exp-Golomb code")
        self.position = begin + 2 * zeros + 1
        return (value >> left) - 1

    def se(self) -> int:
        """A signed Exp-Golomb number."""
        code = self.ue()
        return (code + 1) >> 1 if code & 1 else -(code >> 1)

    def bounded_ue(self, limit: int, name: str) -> int:
        """`ue()` that must not be greater than `limit`; `name` is the element's, for the message."""
        value = self.ue()
        if value > limit:
            raise FormatError(f"{name} is {value}, at most {limit} is allowed")
        return value

    def bits(self, begin: int, end: int) -> bytes:
        """The bits `[begin, end)` moved to a byte boundary and padded with zeros."""
        if not 0 <= begin <= end <= self._end:
            raise FormatError(f"bits [{begin}, {end}) are outside of {self._end}")
        count = end - begin
        if not begin & 7 and not count & 7:
            return self._data[begin >> 3 : end >> 3]
        stop = (end + 7) >> 3
        value = int.from_bytes(self._data[begin >> 3 : stop], "big") >> (stop * 8 - end) & ((1 << count) - 1)
        size = (count + 7) >> 3
        return (value << (size * 8 - count)).to_bytes(size, "big")


class HeadReader:
    """
    The same of a few bytes, which it keeps as one number: half the time, for what every slice begins with.

    `left` bits have not been read; they are `value`.
    """

    __slots__ = ("left", "value")

    def __init__(self, data: bytes) -> None:
        self.value = int.from_bytes(data, "big")
        self.left = len(data) * 8

    def begins_with(self, bits: int, count: int) -> bool:
        """Whether the next `count` bits are these."""
        left = self.left - count
        return left >= 0 and self.value >> left == bits

    def ues(self, count: int) -> list[int]:
        """So many Exp-Golomb numbers, as `ue` reads one."""
        left, value = self.left, self.value
        codes = []
        for _ in range(count):
            zeros = left - value.bit_length()
            left -= 2 * zeros + 1
            if zeros > 31:
                raise FormatError("Exp-Golomb code is longer than 32 bits")
            if left < 0:
                raise FormatError("bits are truncated")
            code = value >> left
            value ^= code << left
            codes.append(code - 1)
        self.left, self.value = left, value
        return codes

    def u(self, count: int) -> int:
        self.left = left = self.left - count
        if left < 0:
            raise FormatError("bits are truncated")
        value = self.value >> left
        self.value ^= value << left
        return value

    def ue(self) -> int:
        left, value = self.left, self.value
        zeros = left - value.bit_length()
        left -= 2 * zeros + 1
        if zeros > 31:
            raise FormatError("Exp-Golomb code is longer than 32 bits")
        if left < 0:
            raise FormatError("bits are truncated")
        code = value >> left
        self.left, self.value = left, value ^ code << left
        return code - 1

    def se(self) -> int:
        code = self.ue()
        return (code + 1) >> 1 if code & 1 else -(code >> 1)
