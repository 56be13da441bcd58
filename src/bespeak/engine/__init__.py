"""The facade: one engine over a store, with the write path, the read path, training, privacy and jobs.

engine      the facade and its life         writing/    the write path
core        what its parts share            deciding/   the read path
runtime     one configuration at work       trying/     experiments, policies and their versions
project     a folder: paths, keys, files    folding/    log -> live profiles
clock       the only reader of the clock    logged/     the log, read back: grants, outcomes, lake
jobs        leases, fences, what runs       training/   log -> lake -> models, and their evaluation
            beside `serve`                  learning/   bandits, at each outcome
items, profiles, segments                   privacy/    who holds a person; rights
            what can be asked of them       checks/     what `doctor` looks at
people_view what may be read of a person    views/      what people look at: console, report, exports
archive     backup and restore              vault       secrets and one-time marks

The file: `settings` has the shape of every section, `config` is all of them, checked; `filters`, `values` and `trials`
check and compile parts of it.
"""

from bespeak.decide.pages.page import PageRequest, page_request, rows_request
from bespeak.decide.request import DecideRequest, listed_items
from bespeak.decide.slates.foreign import ForeignItem
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.engine.deciding.pages import PageSlates
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.engine import Engine, Tracked
from bespeak.engine.writing.writer import WriteRequest, Written
from bespeak.signals.decisions import Decision
from bespeak.storage.tables.log import Reject

__all__ = [
    "DecideRequest",
    "Decision",
    "Engine",
    "ForeignItem",
    "PageRequest",
    "PageSlates",
    "Reject",
    "Slate",
    "Tracked",
    "VariantPlacement",
    "WriteRequest",
    "Written",
    "listed_items",
    "page_request",
    "rows_request",
]
