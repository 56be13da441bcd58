"""HTML pages that commands write: one document each, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from bespeak.signals.counts import counted

templates = Environment(
    loader=PackageLoader("bespeak.cli"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Those in `cli/templates`."""
templates.filters["counted"] = counted
