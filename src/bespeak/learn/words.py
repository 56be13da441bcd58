"""How cuts, models, figures and days read in sentences."""

from __future__ import annotations

from datetime import UTC, datetime

from bespeak.learn.intervals import Interval
from bespeak.models.base import Model
from bespeak.models.blend import Blend
from bespeak.models.families import model_class

PROTOCOLS = {
    "live": "As served (fitted on the first 80 % of events; people asked halfway through what they did later)",
    "calendar": "By the calendar (first 80 % of events against what followed)",
    "per person": "By person (each one's first 80 % of events against the rest)",
    "leave one out": "Next event (all events of each person but the last against the last)",
    "held out": "Without an order (a random tenth of each person's events held back)",
    "strangers": "Strangers (the latest people are asked after each of their events for the next one)",
}
"""Name of a cut -> what it asks, in words."""


def described(model: Model) -> str:
    """A model in words, with the settings that differ from its defaults.

    Example:
        >>> described(model_class("recent_popularity")(window_days=14.0))
        'recent popularity (window_days 14)'
    """
    if isinstance(model, Blend):
        parts = [
            f"{weight:.2f} {described(model_class(member['name'])(**member.get('settings', {})))}"
            for member, weight in zip(model.members, model.weights, strict=True)
        ]
        return "blend of " + " + ".join(parts)
    defaults = type(model)().settings()
    changed = [f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
               for key, value in model.settings().items() if value != defaults[key]]  # fmt: skip
    name = model.name.replace("_", " ")
    return f"{name} ({', '.join(changed)})" if changed else name


def ends(interval: Interval) -> str:
    """The ends of an interval in brackets."""
    return f"[{decimals(interval.low)}, {decimals(interval.high)}]"


def decimals(value: float) -> str:
    """Three decimals without the leading zero, as the field prints them.

    Example:
        >>> decimals(0.12345), decimals(-0.5), decimals(1.0)
        ('.123', '-.500', '1.000')
    """
    text = f"{abs(value):.3f}"
    return ("-" if value < 0 and float(text) else "") + (text[1:] if text.startswith("0") else text)


def day(time_ms: int) -> str:
    """The date of a time in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()
