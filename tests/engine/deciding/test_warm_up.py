"""What a worker does before it answers anybody."""

from __future__ import annotations

from bespeak.decide.answer import answer
from bespeak.engine.deciding import decisions
from bespeak.intake.agents import read_agent
from bespeak.storage.tables import records


def test_warming_up_reads_an_agent_and_decides_everywhere_for_nobody(engine):
    engine.items.put([{"id": "p1"}, {"id": "p2"}])
    read_agent.cache_clear()
    engine.decisions.warm_up()
    assert read_agent.cache_info().misses == 1
    engine.core.drain()
    with engine.core.store.read() as session:
        assert not records.decisions(session, 0, 10)


def test_an_empty_project_warms_up_too(engine):
    engine.decisions.warm_up()


def test_a_placement_that_fails_keeps_no_other_from_being_warmed_up(engine, monkeypatch, caplog):
    warmed = []

    def broken(occasion):
        if occasion.request.placement == "home":
            raise ZeroDivisionError
        warmed.append(occasion.request.placement)
        return answer(occasion)

    monkeypatch.setattr(decisions, "answer", broken)
    engine.decisions.warm_up()
    assert {"similar", "search"} <= set(warmed)
    assert "home cannot be decided" in caplog.text
