"""Bytes that are checked and written together, gathered without taking new memory for each."""

from __future__ import annotations


class Unit:
    """A buffer that is filled, handed out, and filled again."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, data: memoryview) -> None:
        """Append bytes."""
        end = self._length + len(data)
        if end > len(self._buffer):
            self._grow(end)
        memoryview(self._buffer)[self._length : end] = data
        self._length = end

    def reserve(self, length: int) -> None:
        """Make room for so many bytes at once."""
        if length > len(self._buffer):
            self._grow(length)

    def _grow(self, length: int) -> None:
        larger = bytearray(length)
        larger[: self._length] = memoryview(self._buffer)[: self._length]
        self._buffer = larger

    def view(self) -> memoryview:
        """Return what was gathered; valid until the unit is cleared and filled again."""
        return memoryview(self._buffer)[: self._length]

    def clear(self) -> None:
        """Begin anew, in the same memory."""
        self._length = 0
