"""Checks of the installation and of what runs: SQLite, configuration, models, lake."""

from __future__ import annotations

from bespeak.engine.checks.finding import FAIL, WARN, Finding, passed
from bespeak.engine.core import Core
from bespeak.engine.logged.lake_feed import CURSOR
from bespeak.engine.values import check_values
from bespeak.engine.worlds.neighbour_tables import gains_by_index
from bespeak.engine.worlds.trained_set import MODEL_SET
from bespeak.errors import ConfigError
from bespeak.models.vector_index import INDEX_FROM
from bespeak.storage.sqlite.connections import OLDEST_SQLITE
from bespeak.storage.tables import log, records
from bespeak.storage.tables.log import DAY_MS

MODEL_AGE_DAYS = 30
LAKE_LAG = 10_000


def sqlite_version(core: Core) -> Finding:
    """SQLite is new enough for several processes: older ones can lose commits in a WAL reset race."""
    name = "sqlite version"
    if core.store.kind != "sqlite":
        return passed(name, f"the store is {core.store.kind}")
    with core.store.read() as session:
        row = session.row("SELECT sqlite_version()")
    text = str(row[0]) if row else "unknown"
    if row and tuple(int(part) for part in text.split(".")) >= OLDEST_SQLITE:
        return passed(name, text)
    needed = ".".join(map(str, OLDEST_SQLITE))
    return Finding(
        name=name, status=FAIL, message=f"{text}, {needed} is needed", n=1, advice="Upgrade the package apsw."
    )


def configuration(core: Core) -> Finding:
    """The file is what is active, and its numbers and names mean something."""
    name = "configuration"
    try:
        check_values(core.config)
    except ConfigError as error:
        advice = f"{error.hint} Then `bespeak apply`."
        return Finding(name=name, status=FAIL, message=f"what is active cannot be meant: {error.message}", n=1,
                       advice=advice)  # fmt: skip
    if not core.is_file_different():
        return passed(name, f"version {core.runtime.config_version} is active and equals the file")
    return Finding(
        name=name,
        status=WARN,
        message="bespeak.toml differs from what is active",
        n=1,
        advice="Show and activate it with `bespeak apply`, or write back what is active with `bespeak config pull`.",
    )


def model_age(core: Core) -> Finding:
    """There is a trained model, it can be loaded, and it is not old."""
    name = "model age"
    with core.store.read() as session:
        current = records.models(session, name=MODEL_SET, state="current")
        n_events = log.count(session)
    if not current:
        if not n_events:
            return passed(name, "nothing to train on yet")
        return Finding(name=name, status=WARN, message="no model is trained", n=1, advice="Run `bespeak train`.")
    if core.runtime.keeper.models_version != current[0].version:
        return Finding(
            name=name,
            status=FAIL,
            message=f"set {current[0].version} cannot be loaded: it is damaged, or another release stored it",
            n=1,
            advice="Run `bespeak train`.",
        )
    days = (core.clock.now_ms() - current[0].created_ms) / DAY_MS
    if days <= MODEL_AGE_DAYS:
        return passed(name, f"set {current[0].version} is {days:.1f} days old")
    return Finding(
        name=name,
        status=WARN,
        message=f"set {current[0].version} is {days:.0f} days old",
        n=round(days),
        advice='Run `bespeak train`, or let the job do it: every = "1d" under [train].',
    )


def item_index(core: Core) -> Finding:
    """Large catalogues have an index of item vectors, so that a decision need not multiply all of them."""
    name = "item index"
    large = [model.loaded for model in core.world.models.models if gains_by_index(model.loaded.model)]
    without = [loaded.name for loaded in large if loaded.index is None]
    if not without:
        indexed = ", ".join(loaded.name for loaded in large)
        return passed(name, f"held by {indexed}" if indexed else f"no model gains by one below {INDEX_FROM:,} items")
    return Finding(
        name=name,
        status=WARN,
        message=f"none for {', '.join(without)}: each decision multiplies the vectors of all items",
        n=len(without),
        advice=f"Install the extra 'ann' (pip install 'bespeak[ann]'), then train again: it pays from {INDEX_FROM:,} "
        "items on.",
    )


def lake_lag(core: Core) -> Finding:
    """The lake, which training and reports read, follows the log."""
    name = "lake lag"
    with core.store.read() as session:
        position = records.cursor(session, CURSOR)
        row = session.row("SELECT count(*) FROM events WHERE log_id > ?", (position,))
    n_behind = int(str(row[0])) if row else 0
    if n_behind <= LAKE_LAG:
        return passed(name, f"{n_behind:,} log rows behind")
    return Finding(
        name=name,
        status=WARN,
        message=f"{n_behind:,} log rows behind",
        n=n_behind,
        advice="`bespeak serve` or `bespeak work` feeds it; so does `bespeak train`.",
    )
