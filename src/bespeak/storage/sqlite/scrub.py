"""Overwriting what SQLite leaves behind in its file.

`secure_delete` zeroes rows and pages as they are freed, but when a B-tree page is rebuilt (its rows spread over more
pages), copies of rows that moved away stay in the page's unused middle, and outlive the deletion of the rows. This
module walks over all pages and zeroes what no row uses: the gap between a page's row pointers and its rows, and the
bodies of its free blocks. SQLite never reads either. (Layout: "Database File Format", section 1.6, sqlite.org.)

Only for a file whose write-ahead log is empty and whose write lock is held, without auto-vacuum (no pointer-map pages).
The file is opened through SQLite's own file layer: closing a plain descriptor would drop the process's locks on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

PAGES_AT_ONCE = 128
_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF = 2, 10, 13  # the kinds of page that hold values; table interiors hold keys


def unused_ranges(page: bytes | memoryview, header: int = 0) -> list[tuple[int, int]]:
    """Returns the (start, end) of the bytes of a page that no row uses; nothing for a page that holds no values.

    A page whose header makes no sense as a B-tree page is left alone.

    Args:
        header: offset of the B-tree header, 100 on the first page of a file.
    """
    kind = page[header]
    if kind not in (_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF):
        return []

    def number(at: int) -> int:
        return page[at] << 8 | page[at + 1]

    size = len(page)
    n_cells = number(header + 3)
    content = number(header + 5) or 65536
    gap = header + (12 if kind == _INDEX_INTERIOR else 8) + 2 * n_cells
    if not gap <= content <= size:
        return []
    ranges = [(gap, content)]
    block = number(header + 1)
    while block:
        if not content <= block <= size - 4:
            return []
        following, length = number(block), number(block + 2)
        if length < 4 or block + length > size or (following and following < block + length):
            return []
        ranges.append((block + 4, block + length))
        block = following
    return ranges


def zero_unused(path: Path, page_size: int, first_page: int, n_pages: int) -> int:
    """Zeroes the unused bytes of `n_pages` pages from `first_page` (from 0) on; returns how many pages had any.

    Durable when it returns. A killed process leaves some ranges zeroed and others not, which is always a valid file.
    """
    flags = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE
    file: Any = apsw.VFSFile("", str(path), [flags, 0])
    n_cleaned = 0
    try:
        size = file.xFileSize()
        end = min((first_page + n_pages) * page_size, size)
        for offset in range(first_page * page_size, end, PAGES_AT_ONCE * page_size):
            chunk = memoryview(file.xRead(min(PAGES_AT_ONCE * page_size, end - offset), offset))
            for start in range(0, len(chunk), page_size):
                page = chunk[start : start + page_size]
                is_dirty = False
                for a, b in unused_ranges(page, 100 if offset + start == 0 else 0):
                    if page[a:b].tobytes().strip(b"\0"):
                        file.xWrite(bytes(b - a), offset + start + a)
                        is_dirty = True
                n_cleaned += is_dirty
        if n_cleaned:
            file.xSync(apsw.SQLITE_SYNC_FULL)
    finally:
        file.xClose()
    return n_cleaned
