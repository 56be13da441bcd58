"""Writes `docs/reference/` and `docs/explanation/models/` from the code: `python docs/generate.py [--check]`.

`--check` writes nothing and ends with status 1 when a page differs from what the code says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from from_code.interfaces import command_line, doctor, error_codes, http_api, metric_names
from from_code.models import RATING_MODELS, model_index, model_page
from from_code.project import configuration, files, placements, rules, signals

from bespeak.models.families import FAMILIES

DOCS = Path(__file__).resolve().parent
NOTE = "<!-- Written by docs/generate.py from the code. Change the code, then run: make docs-reference -->\n"


def pages() -> dict[str, str]:
    """Returns path below `docs/` -> content of every page that is made from the code."""
    found = {
        "reference/configuration.md": configuration(),
        "reference/placements.md": placements(),
        "reference/command-line.md": command_line(),
        "reference/http-api.md": http_api(),
        "reference/signals.md": signals(),
        "reference/rules.md": rules(),
        "reference/errors.md": error_codes(),
        "reference/metrics.md": metric_names(),
        "reference/doctor.md": doctor(),
        "reference/files.md": files(),
        "explanation/models/README.md": model_index(),
        **{f"explanation/models/{name}.md": model_page(kind) for name, kind in {**FAMILIES, **RATING_MODELS}.items()},
    }
    return {path: NOTE + text.rstrip() + "\n" for path, text in found.items()}


def main() -> None:
    """Writes the pages, or checks them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when a page is out of date")
    is_check = parser.parse_args().check
    stale = []
    for path, text in pages().items():
        target = DOCS / path
        if target.exists() and target.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not is_check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    sys.stdout.write("".join(f"{'out of date' if is_check else 'wrote'}: docs/{path}\n" for path in stale))
    sys.exit(1 if is_check and stale else 0)


if __name__ == "__main__":
    main()
