"""Lines of a text file, one chunk in memory at a time, with their numbers; a line that is no text is reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from io import BufferedIOBase

MAX_LINE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Lines:
    """Iterates over (number from 1, bytes without the line end); lines can be put back.

    A line longer than `MAX_LINE_BYTES` comes as None, and memory stays bounded.
    """

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self._ahead: deque[tuple[int, bytes | None]] = deque()
        self._source = self._read()

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        """Returns itself."""
        return self

    def __next__(self) -> tuple[int, bytes | None]:
        """Returns the next line; those that were put back come first."""
        return self._ahead.popleft() if self._ahead else next(self._source)

    def put_back(self, lines: list[tuple[int, bytes | None]]) -> None:
        """Takes lines back; the first of them comes next."""
        self._ahead.extendleft(reversed(lines))

    def _read(self) -> Iterator[tuple[int, bytes | None]]:
        number, rest, is_too_long, is_first = 0, b"", False, True
        # `read` of a gzip file that ends too early raises and drops what it had unpacked; `read1` gives that first
        while chunk := self._file.read1(_CHUNK_BYTES):
            if is_first:
                chunk, is_first = chunk.removeprefix(_BYTE_ORDER_MARK), False
            parts = (rest + chunk).split(b"\n")
            rest = parts.pop()
            for part in parts:
                number += 1
                yield number, None if is_too_long else part.removesuffix(b"\r")
                is_too_long = False
            if len(rest) > MAX_LINE_BYTES:
                rest, is_too_long = b"", True
        if rest or is_too_long:
            yield number + 1, None if is_too_long else rest.removesuffix(b"\r")


def guess_encoding(sample: bytes) -> str:
    """Returns `utf-8`, or `cp1252` where the sample has bytes that are no UTF-8 and no character that only UTF-8 gives.

    Example:
        >>> guess_encoding("Köln".encode()), guess_encoding("Köln".encode("cp1252"))
        ('utf-8', 'cp1252')
    """
    n_good = n_bad = 0
    for line in sample.split(b"\n")[:-1] or [sample]:
        if not line.isascii():
            try:
                line.decode()
                n_good += 1
            except UnicodeDecodeError:
                n_bad += 1
    return "cp1252" if n_bad and not n_good else "utf-8"
