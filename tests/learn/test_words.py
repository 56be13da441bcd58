"""How models read in sentences."""

from __future__ import annotations

from bespeak.learn.words import described
from bespeak.models import Blend


def test_a_blend_is_described_by_its_parts() -> None:
    blend = Blend([{"name": "popularity"}, {"name": "ease", "settings": {"l2": 7.5}}], [0.25, 0.75])
    assert described(blend) == "blend of 0.25 popularity + 0.75 ease (l2 7.5)"
