"""Trying rejected events again."""

from __future__ import annotations

from typing import Any

from bespeak.engine.importing.rejects import list_rejects, replay_rejects
from bespeak.engine.writing.writer import WriteRequest
from bespeak.storage.tables.log import Reject

ALL = {"consent": {"categoryPreferences": {"personalize": True, "measure": True, "improve": True}}}


def view(item: str = "p1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": item}, **more}


def test_an_event_whose_fold_failed_is_taken_in_once_the_fault_is_mended(engine, monkeypatch):
    observer = engine.core.runtime.observer
    monkeypatch.setattr(observer, "observation", lambda *_: 1 / 0)
    engine.track([view(userId="u1", messageId="m1")], source="backend")
    assert list_rejects(engine.core).counts == {"fold_failed": 1}
    assert replay_rejects(engine.core).remaining == 1
    monkeypatch.undo()
    replayed = replay_rejects(engine.core)
    assert (replayed.accepted, replayed.remaining) == (1, 0)
    assert list_rejects(engine.core).counts == {}
    assert engine.track([view(userId="u1", messageId="m1")], source="backend").written.n_duplicate == 1


def test_an_event_that_is_refused_again_stays_on_the_list_once(engine):
    engine.track([view(userId="u1", context=ALL)], source="web")
    assert list_rejects(engine.core).counts == {"unconfirmed_id": 1}
    replayed = replay_rejects(engine.core)
    assert (replayed.accepted, replayed.remaining) == (0, 1)
    assert list_rejects(engine.core).counts == {"unconfirmed_id": 1}


def test_the_list_shows_reasons_and_no_bodies(engine):
    body = b'{"userId":"margarete"}'
    rejects = [
        Reject(received_ms=n, source="web", reason=reason, detail="x", line_number=n, body=body)
        for n, reason in enumerate(["a", "b", "a"])
    ]
    engine.core.submit(WriteRequest(rejects=rejects)).result()
    shown = list_rejects(engine.core, limit=1, reason="a")
    assert shown.counts == {"a": 2, "b": 1}
    assert [reject.line_number for reject in shown.rejects] == [2]
    assert "margarete" not in repr(shown)
    assert list_rejects(engine.core, reason="c").rejects == []


def test_what_has_no_body_any_more_or_no_source_stays(engine):
    rejects = [
        Reject(received_ms=0, source="web", reason="a", detail="x", body=None),
        Reject(received_ms=0, source="gone", reason="a", detail="x", body=b"{}"),
    ]
    engine.core.submit(WriteRequest(rejects=rejects)).result()
    replayed = replay_rejects(engine.core)
    assert (replayed.accepted, replayed.remaining, replayed.without_body) == (0, 2, 1)
