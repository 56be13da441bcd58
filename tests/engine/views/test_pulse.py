"""Events per minute: the same whoever counts, and however often."""

from __future__ import annotations

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views.pulse import MINUTE_MS, PulseMeter
from bespeak.web.tokens import make_token_key

START_MS = 1_750_000_020_000
WEB = {"kind": "browser", "key": "wk", "consent": ["essential", "personalize", "measure", "improve"]}


@pytest.fixture
def engine(tmp_path):
    create(tmp_path / "my", token_key=make_token_key(), settings={"sources": {"web": WEB}})
    with Engine.open(tmp_path / "my", clock=VirtualClock(START_MS)) as opened:
        yield opened


def viewed(who: str, item: str):
    return {"type": "track", "event": "Product Viewed", "userId": who, "properties": {"product_id": item}}


def test_the_pulse_is_the_same_whether_looked_at_once_or_after_every_minute(engine):
    often, clock = PulseMeter(engine.core), engine.core.clock
    for minute in range(5):
        engine.track([viewed("u1", f"p{minute}-{n}") for n in range(minute)])
        engine.track([{"type": "track", "event": "Seen", "anonymousId": "a1"}], source="web")
        engine.track([{"type": "track", "event": "Nobody"}])
        seen = often.read()
        clock.advance(MINUTE_MS)
    once = PulseMeter(engine.core).read()
    assert seen.imported[-5:] == once.imported[-6:-1] == [0, 1, 2, 3, 4]
    assert seen.live[-5:] == once.live[-6:-1] == [1] * 5
    assert seen.rejected[-5:] == once.rejected[-6:-1] == [1] * 5
    assert once.minutes_ms[-1] == clock.now_ms() // MINUTE_MS * MINUTE_MS


def test_what_came_in_before_the_hour_is_not_in_the_pulse(engine):
    engine.track([viewed("u1", f"p{n}") for n in range(30)])
    engine.core.clock.advance(90 * MINUTE_MS)
    engine.track([viewed("u1", "p1")])
    assert sum(PulseMeter(engine.core).read().imported) == 1
