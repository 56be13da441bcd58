"""Checks of what comes in: rejects, clocks, consent categories, unknown names, bots."""

from __future__ import annotations

from collections import Counter

from bespeak.engine.checks.finding import FAIL, WARN, Finding, named, passed
from bespeak.engine.core import Core
from bespeak.storage.tables import log
from bespeak.storage.tables.log import DAY_MS
from bespeak.storage.tables.rows import as_int

REJECT_DAYS = 7
REJECTS_FAIL_SHARE = 0.1
CLOCK_DAYS = 300
SAMPLE = 2_000
BOTS_WARN_SHARE = 0.3
CUSTOM_CLASS = "custom"


def rejects(core: Core) -> Finding:
    """Few events were rejected lately."""
    name = f"rejects of {REJECT_DAYS} days"
    since_ms = core.clock.now_ms() - REJECT_DAYS * DAY_MS
    with core.store.read() as session:
        rows = session.rows(
            "SELECT reason, count(*) FROM rejected WHERE received_ms >= ? GROUP BY reason ORDER BY 2 DESC", (since_ms,)
        )
        row = session.row("SELECT count(*) FROM events WHERE received_ms >= ?", (since_ms,))
    n = sum(as_int(r[1]) for r in rows)
    n_taken = as_int(row[0]) if row else 0
    if not n:
        return passed(name, f"none beside {n_taken:,} events")
    reasons = ", ".join(f"{r[0]!s} {as_int(r[1]):,}" for r in rows)
    return Finding(
        name=name,
        status=FAIL if n > REJECTS_FAIL_SHARE * (n + n_taken) else WARN,
        message=f"{n:,} beside {n_taken:,} events: {reasons}",
        n=n,
        advice="See them with `bespeak rejects list`; mend the sender or the mapping, then `bespeak rejects replay`.",
    )


def clocks(core: Core) -> Finding:
    """Clients' clocks are right: events of live sources lie near their receipt."""
    name = "clocks"
    live = [source for source, s in core.config.settings.sources.items() if s.kind != "import"]
    marks = ", ".join("?" * len(live))
    n = 0
    if live:
        with core.store.read() as session:
            row = session.row(
                f"SELECT count(*) FROM events WHERE received_ms - time_ms > ? AND source IN ({marks})",  # noqa: S608
                (CLOCK_DAYS * DAY_MS, *live),
            )
        n = as_int(row[0]) if row else 0
    if not n:
        return passed(name, f"no event of a live source is over {CLOCK_DAYS} days older than its receipt")
    return Finding(
        name=name,
        status=WARN,
        message=f"{n:,} events of live sources are over {CLOCK_DAYS} days older than their receipt",
        n=n,
        advice="A device's clock is wrong, or history is sent through a live source: send `sentAt`, or use an import.",
    )


def consent_categories(core: Core) -> Finding:
    """Every consent category that clients send means a purpose."""
    name = "consent categories"
    with core.store.read() as session:
        entries = log.latest(session, SAMPLE)
    unmapped: Counter[str] = Counter()
    for entry in entries:
        event = entry.body.event
        if event is not None and event.context.consent:
            unmapped.update(core.config.consent.unmapped(event.context.consent))
    if not unmapped:
        return passed(name, f"all mean a purpose in the latest {len(entries):,} events")
    return Finding(
        name=name,
        status=WARN,
        message=f"{len(unmapped):,} mean nothing and grant nothing: {named(sorted(unmapped))}",
        n=len(unmapped),
        advice='Say what they mean under [consent]: categories = { marketing = ["personalize"] }.',
    )


def event_names(core: Core) -> Finding:
    """Every event about an item has a name that the signal catalogue knows."""
    name = "event names"
    with core.store.read() as session:
        entries = log.latest(session, SAMPLE)
    unknown: Counter[str] = Counter()
    for entry in entries:
        event = entry.body.event
        if event is None:
            continue
        if any(s.item_id and s.signal_class == CUSTOM_CLASS for s in core.config.signals.signals_of(event)):
            unknown[event.name] += 1
    if not unknown:
        return passed(name, f"all are known in the latest {len(entries):,} events")
    return Finding(
        name=name,
        status=WARN,
        message=f"{len(unknown):,} unknown names come with an item and weigh nothing: {named(sorted(unknown))}",
        n=sum(unknown.values()),
        advice="Map them under [signals.events], or send the names of the Segment specification.",
    )


def bots(core: Core) -> Finding:
    """Most events come from people."""
    name = "bots"
    with core.store.read() as session:
        row = session.row("SELECT count(*), coalesce(sum(is_bot), 0) FROM events WHERE kind = 'event'")
    n_all, n_bots = (as_int(row[0]), int(str(row[1]))) if row else (0, 0)
    share = n_bots / n_all if n_all else 0.0
    if share <= BOTS_WARN_SHARE:
        return passed(name, f"{share:.1%} of events; they are kept out of models and counters")
    return Finding(
        name=name,
        status=WARN,
        message=f"{share:.0%} of events ({n_bots:,} of {n_all:,})",
        n=n_bots,
        advice="They count nowhere, but they fill the log: keep crawlers away from the tracking address.",
    )
