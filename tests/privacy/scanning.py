"""Looks for words in every file below a folder, raw and decoded: python scanning.py FOLDER WORD… prints word -> files.

A process of its own: opening and closing a database's file in the process that has it open would drop its locks.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq


def contents(path: Path) -> Iterator[bytes]:
    """The raw bytes of a file, and what they decode to."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path).to_pylist()).encode()
    elif path.suffix == ".npy":
        yield np.load(path, allow_pickle=False).tobytes()
    for start, inflate in ((b"\x1f\x8b", gzip.decompress), (b"x\x9c", zlib.decompress)):
        if raw.startswith(start):
            yield inflate(raw)


def main(folder: Path, words: list[str]) -> dict[str, list[str]]:
    """Returns word -> names of the files that hold it."""
    found: dict[str, list[str]] = {word: [] for word in words}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for part in contents(path):
            for word, files in found.items():
                if word.encode() in part and path.name not in files:
                    files.append(path.name)
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2:])))
