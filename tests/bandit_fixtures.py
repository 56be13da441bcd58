"""A placement that learns which of three variants to show, for tests: its project, what people do, what it learned.

Its window is ten minutes; a click is worth 1, a purchase 5.
"""

from __future__ import annotations

from typing import Any

from bespeak.decide.variants.bandits import ArmSums, Posterior
from bespeak.engine.engine import Engine
from bespeak.engine.learning.lessons import VariantLesson
from bespeak.engine.learning.state import LearnedState, ask_for_refit, read_state

MINUTE_MS = 60_000
ALL = ["essential", "personalize", "measure", "improve"]
HERO = {
    "kind": "variant",
    "variants": ["a", "b", "c"],
    "learn": "thompson",
    "explore": 0.2,
    "features": ["device", "segment.buyers"],
    "dimension": 8,
    "reward": {"click": 1.0},
    "conversion": {"purchase": 5.0},
    "window_minutes": 10,
}


def settings(**changes: Any) -> dict[str, Any]:
    """Settings of a project with that placement, some of its own changed."""
    return {
        "placements": {"hero": {**HERO, **changes}},
        "segments": {"buyers": "orders >= 1"},
        "consent": {"categories": {"Better": ["improve"]}},
        "sources": {"shop": {"kind": "import", "consent": ALL}},
    }


def track(engine: Engine, name: str, user: str, number: int = 0, **properties: Any) -> None:
    """Somebody does something, by a source that may do everything; a number tells the times apart."""
    context = properties.pop("context", {})
    event = {"type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}-{number}"}
    engine.track([{**event, "properties": properties, "context": context}], source="shop")


def state_of(engine: Engine) -> LearnedState | None:
    """What is stored of what the placement learned; None before the first turn."""
    lesson = VariantLesson(engine.core.config.variants["hero"])
    with engine.core.store.read() as session:
        return read_state(session, lesson.key, lesson.digest)


def sums_of(engine: Engine) -> ArmSums:
    """The sums of each variant, as they are stored."""
    state = state_of(engine)
    return VariantLesson(engine.core.config.variants["hero"]).read(None if state is None else state.sums)


def known(engine: Engine, placement: str = "hero") -> Posterior:
    """What decisions are made by."""
    world = engine.core.world
    return world.posterior(world.variants[placement])


def refit(engine: Engine) -> None:
    """Makes the sums anew from the log."""
    lesson = VariantLesson(engine.core.config.variants["hero"])
    with engine.core.store.write() as tx:
        assert ask_for_refit(tx, lesson.key, lesson.digest)
    engine.learn()
