"""Retention: what is older than the project keeps goes, and what was derived from it goes with it.

Days count from receipt.
"""

from __future__ import annotations

from bespeak.engine.core import Core
from bespeak.storage.log import DAY_MS


def sweep_retention(core: Core) -> str:
    """Removes what is out of date and returns what was done, in words."""
    now_ms = core.clock.now_ms()
    keeps = core.config.settings.retention
    done: list[str] = []
    with core.store.write() as tx:
        before_ms = now_ms - keeps.rejects_days * DAY_MS
        n = tx.run("UPDATE rejected SET body = NULL WHERE body IS NOT NULL AND received_ms < ?", (before_ms,))
        done.append(f"{n} bodies of rejects")
        n = tx.run("DELETE FROM message_ids WHERE day < ?", ((now_ms - keeps.message_ids_days * DAY_MS) // DAY_MS,))
        done.append(f"{n} message ids")
        if keeps.decisions_days:
            before_ms = now_ms - keeps.decisions_days * DAY_MS
            n = tx.run("DELETE FROM decisions WHERE time_ms < ?", (before_ms,))
            tx.run("DELETE FROM exposures WHERE time_ms < ?", (before_ms,))
            done.append(f"{n} decisions")
    return "removed " + ", ".join(done)
