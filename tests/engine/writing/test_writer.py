"""The queue in front of the store: what is acknowledged, refused, split and quarantined."""

from __future__ import annotations

import threading

import pytest

from bespeak.engine.writing.writer import Gather, Writer, WriteRequest, Written
from bespeak.errors import EventRejected, Overloaded, StoreError, StoreUnavailable
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Event
from bespeak.storage.tables.log import Reject


def event(message_id: str) -> Event:
    return Event(message_id=message_id, type="track", time_ms=5, received_ms=7, source="web", name="X", user_id="u1")


def decision(name: str) -> Decision:
    return Decision(decision_id=name, time_ms=0, placement="home", mode="anonymous", policy="home@1", items=())


class Log:
    """A commit that keeps what it is given, fails on events named `bad…`, and can be held up."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.rejects: list[Reject] = []
        self.decisions: list[str] = []
        self.batches: list[int] = []
        self.error: Exception | None = None
        self.is_open = threading.Event()
        self.is_open.set()
        self.has_begun = threading.Event()
        self.may_begin = threading.Event()
        self.may_begin.set()

    def __call__(self, gather: Gather) -> list[Written]:
        self.may_begin.wait(10)
        requests = gather()
        self.has_begun.set()
        self.is_open.wait(10)
        if self.error is not None:
            raise self.error
        for request in requests:
            for one in request.events:
                if one.message_id.startswith("bad"):
                    raise ZeroDivisionError("the fold fell over")
                if one.message_id.startswith("worse"):
                    raise EventRejected("too odd", code="odd")
        self.batches.append(len(requests))
        for request in requests:
            self.messages += [one.message_id for one in request.events]
            self.rejects += request.rejects
            self.decisions += [one.decision_id for one in request.decisions]
        return [Written(n_accepted=len(r.events), n_rejected=len(r.rejects)) for r in requests]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def writer(log: Log):
    opened = Writer(log, max_events=10, max_bytes=1000)
    yield opened
    log.is_open.set()
    opened.close()


def hold(log: Log, writer: Writer) -> None:
    """Leaves the writer's thread inside a commit, so that what follows has to wait."""
    log.is_open.clear()
    log.has_begun.clear()
    writer.submit(WriteRequest())
    assert log.has_begun.wait(10)


def test_requests_that_wait_together_commit_together(log, writer):
    hold(log, writer)
    futures = [writer.submit(WriteRequest(events=[event(f"m{n}")])) for n in range(3)]
    assert writer.n_waiting() == 3
    log.is_open.set()
    assert [future.result(10).n_accepted for future in futures] == [1, 1, 1]
    assert log.messages == ["m0", "m1", "m2"]
    assert log.batches == [1, 3]
    assert writer.n_waiting() == 0


def test_what_comes_in_until_the_transaction_is_open_commits_with_what_waited_for_it(log, writer):
    log.may_begin.clear()
    futures = [writer.submit(WriteRequest(events=[event("m0")]))]
    assert not log.has_begun.wait(0.05)
    futures.append(writer.submit(WriteRequest(events=[event("m1")])))
    log.may_begin.set()
    assert [future.result(10).n_accepted for future in futures] == [1, 1]
    assert log.batches == [2]


def test_an_event_that_fails_is_quarantined_and_its_neighbours_commit(log, writer):
    hold(log, writer)
    before = writer.submit(WriteRequest(events=[event("a")]))
    mixed = writer.submit(WriteRequest(events=[event(n) for n in ("b", "bad", "c", "d")], decisions=[decision("d1")]))
    after = writer.submit(WriteRequest(events=[event("e")]))
    log.is_open.set()
    assert before.result(10) == after.result(10) == Written(n_accepted=1)
    assert mixed.result(10) == Written(n_accepted=3, n_rejected=1)
    assert sorted(log.messages) == ["a", "b", "c", "d", "e"]
    assert log.decisions == ["d1"]
    (reject,) = log.rejects
    assert (reject.reason, reject.source, reject.received_ms) == ("fold_failed", "web", 7)
    assert "ZeroDivisionError" in reject.detail
    assert "u1" not in reject.detail


def test_a_quarantined_event_keeps_the_reason_it_was_refused_for(log, writer):
    assert writer.submit(WriteRequest(events=[event("worse")])).result(10) == Written(n_rejected=1)
    assert [reject.reason for reject in log.rejects] == ["odd"]


def test_rejects_of_a_request_are_kept_once_when_an_event_of_it_fails(log, writer):
    reject = Reject(received_ms=1, source="web", reason="invalid", detail="x")
    written = writer.submit(WriteRequest(events=[event("bad1"), event("bad2"), event("m")], rejects=[reject])).result(
        10
    )
    assert written == Written(n_accepted=1, n_rejected=3)
    assert sorted(r.reason for r in log.rejects) == ["fold_failed", "fold_failed", "invalid"]


def test_a_store_that_is_away_quarantines_nothing_and_tells_everybody(log, writer):
    hold(log, writer)
    futures = [writer.submit(WriteRequest(events=[event(f"m{n}")])) for n in range(2)]
    log.error = StoreUnavailable("away")
    log.is_open.set()
    for future in futures:
        with pytest.raises(StoreUnavailable):
            future.result(10)
    log.error = None
    assert writer.submit(WriteRequest(events=[event("again")])).result(10).n_accepted == 1
    assert log.rejects == []


def test_a_failure_that_no_event_caused_reaches_the_caller_and_the_writer_lives_on(log, writer):
    log.error = RuntimeError("a secret detail")
    with pytest.raises(StoreError) as caught:
        writer.submit(WriteRequest(decisions=[decision("d1")])).result(10)
    assert "secret" not in str(caught.value)
    log.error = None
    assert writer.submit(WriteRequest(events=[event("m")])).result(10).n_accepted == 1


def test_a_full_queue_refuses_decisions_before_events(log, writer):
    hold(log, writer)
    writer.submit(WriteRequest(events=[event(f"m{n}") for n in range(5)]))
    with pytest.raises(Overloaded):
        writer.submit(WriteRequest(decisions=[decision("d")]), is_droppable=True)
    writer.submit(WriteRequest(events=[event(f"n{n}") for n in range(5)]))
    with pytest.raises(Overloaded) as caught:
        writer.submit(WriteRequest(events=[event("one too many")]))
    assert caught.value.retry_after_seconds > 0


def test_the_queue_is_bounded_in_bytes_too(log, writer):
    hold(log, writer)
    writer.submit(WriteRequest(events=[event("m")], n_bytes=900))
    with pytest.raises(Overloaded):
        writer.submit(WriteRequest(events=[event("n")], n_bytes=200))


def test_one_request_larger_than_the_queue_is_taken_when_nothing_waits(log, writer):
    events = [event(f"m{n}") for n in range(50)]
    assert writer.submit(WriteRequest(events=events)).result(10).n_accepted == 50


def test_closing_writes_what_waits_and_refuses_what_comes_after(log, writer):
    hold(log, writer)
    waiting = writer.submit(WriteRequest(events=[event("m")]))
    closer = threading.Thread(target=writer.close)
    closer.start()
    log.is_open.set()
    closer.join(10)
    assert waiting.result(0).n_accepted == 1
    with pytest.raises(StoreUnavailable):
        writer.submit(WriteRequest(events=[event("late")]))


def test_a_caller_who_gives_up_does_not_stop_the_writer(log, writer):
    hold(log, writer)
    given_up = writer.submit(WriteRequest(events=[event("m")]))
    given_up.cancel()
    log.is_open.set()
    assert writer.submit(WriteRequest(events=[event("n")])).result(10).n_accepted == 1
    assert log.messages == ["m", "n"]
