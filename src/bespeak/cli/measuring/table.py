"""The file that `--out` of a measure command writes: CSV or Parquet, by its ending."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bespeak.errors import InvalidInput


def check_out(out: Path | None) -> None:
    """Refuses what cannot be written before anything is computed.

    Raises:
        InvalidInput: the ending is neither .csv nor .parquet.
    """
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise InvalidInput(f"--out {out.name} is neither .csv nor .parquet.")


def write_table(columns: Mapping[str, Any], out: Path) -> None:
    """Writes columns of equal length.

    Raises:
        InvalidInput: the file cannot be written.
    """
    held = pa.table(dict(columns))
    try:
        if out.suffix == ".csv":
            pa_csv.write_csv(held, out)
        else:
            pq.write_table(held, out)
    except OSError as error:
        raise InvalidInput(f"{out.name} cannot be written: {error.strerror or error}.") from None
