"""Bespeak turns what people do into what they see next.

The packages, each importing only those below it (`|` stands between siblings that never import each other):

cli                          the commands: the same verbs as the engine
console | serve              the dashboard and the demo's storefront | the HTTP API and the server
web                          what those two share: keys, person tokens, the console's log-in
simulate                     worlds with known truth
engine                       the facade: configuration, clock, write path, read path, jobs
learn                        which model to use, and what the comparison says
decide                       placements, candidates, features, score, slate, reasons
segments | models | measure  membership by rules, live | one file per algorithm, arrays in and arrays out | statistics
profiles                     who is who, and what is known: decayed, joined, replayed
catalogue                    items as records, as columns, as a text index
privacy                      consent, the holders of personal data, the erasure ledger
storage                      the log and every table, blobs, the lake
rules | intake               the rule language | wire shapes and files to typed events
signals                      typed events, the signal catalogue, purposes
errors | first_use           one exception tree | public names, imported when they are first used

What is named here is all that embedded use needs; everything else is imported from its package:

    >>> from bespeak import Engine, errors
    >>> Engine.__name__, errors.BespeakError.__name__
    ('Engine', 'BespeakError')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bespeak import errors
from bespeak.errors import BespeakError
from bespeak.first_use import at_first_use

if TYPE_CHECKING:
    from bespeak.engine.clock import Clock, SystemClock, VirtualClock
    from bespeak.engine.deciding.slates import Slate
    from bespeak.engine.engine import Engine, Tracked
    from bespeak.engine.writing.collector import calm_collector
    from bespeak.signals.events import Event

_HOME = {
    "Clock": "bespeak.engine.clock",
    "Engine": "bespeak.engine.engine",
    "Event": "bespeak.signals.events",
    "Slate": "bespeak.engine.deciding.slates",
    "SystemClock": "bespeak.engine.clock",
    "Tracked": "bespeak.engine.engine",
    "VirtualClock": "bespeak.engine.clock",
    "calm_collector": "bespeak.engine.writing.collector",
}
"""Public name -> its module, imported at first use: the engine brings NumPy, SciPy and the store along."""

__all__ = [
    "BespeakError",
    "Clock",
    "Engine",
    "Event",
    "Slate",
    "SystemClock",
    "Tracked",
    "VirtualClock",
    "calm_collector",
    "errors",
]


__getattr__ = at_first_use(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
