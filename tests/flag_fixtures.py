"""A served shop with flags of every kind, for the tests of OpenFeature and GrowthBook clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from server_fixtures import Project, make_project

FLAGS: dict[str, dict[str, Any]] = {
    "constant": {"kind": "variant", "variants": {"only": {"title": "Hello", "n": 2}}},
    "list": {"kind": "variant", "variants": {"ab": ["a", "b"]}},
    "ratio": {"kind": "variant", "variants": {"one": 1.0, "half": 0.5}},
    "limit": {"kind": "variant", "variants": {"three": 3}},
    "banner": {
        "kind": "variant",
        "variants": {"plain": "Hello", "short": "Hi", "pro": "Hello, pro"},
        "when": ["context.device = 'mobile' show short", "context.plan IN ('pro', 'team') show pro"],
    },
    "checkout": {"kind": "variant", "variants": {"old": False, "new": True}, "split": {"new": 0.5}},
    "loyal": {"kind": "variant", "variants": {"no": False, "yes": True}, "when": ["views_7d >= 2 show yes"]},
    "by device": {
        "kind": "variant",
        "variants": {"a": "A", "b": "B"},
        "split": {"a": 0.5, "b": 0.5},
        "sticky": "device",
    },
    "deep/er flag": {"kind": "variant", "variants": {"on": True}},
}
LETTER = {"kind": "message", "variants": {"warm": {"subject": "We miss you", "body": "Half price for you alone."}}}
AGREED = ["essential", "personalize", "measure", "improve"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A shop with flags; its visitors agreed to everything."""
    return make_flags(tmp_path_factory.mktemp("flags") / "shop")


def make_flags(root: Path) -> Project:
    """Makes a shop with flags."""
    web = {"kind": "browser", "key": "wk_flags", "consent": AGREED}
    settings = {
        "placements": {**FLAGS, "letter": LETTER},
        "context": {"declared": ["plan"]},
        "sources": {"web": web},
    }
    return make_project(root, n_people=2, n_items=12, settings=settings)
