"""The facade: one engine over a store, with the write path, the read path, training, privacy and jobs.

The rooms, each importing only those below it (`|` stands between siblings that never import each other):

archive | jobs         backup and restore | leases, fences, what runs beside `serve`
engine                 the facade and its life
privacy | views        who holds a person; rights | what people look at: console, report, exports
checks | training      what `doctor` looks at | log -> lake -> models, and their evaluation
profiles               what can be asked of profiles
segments | items       ... of segments | ... of items
deciding | importing   the read path | files, and what could not be taken in
logged | refolding     the log, read back: grants, outcomes, lake | people folded anew when folding changes
vault                  secrets and one-time marks
core | people_view     what the rooms above share | what may be read of a person
runtime                one configuration at work
worlds | writing       what decisions are made with | the write path
learning               bandits, at each outcome
folding | values       log -> live profiles | what settings must not say when they become active
trying                 experiments, policies and their versions
config                 the file: all sections, checked
project | trials       a folder: paths, keys, files | experiments as declared
settings | filters     the shape of every section | whether filters can be used
clock                  the only reader of the clock
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bespeak.first_use import at_first_use

if TYPE_CHECKING:
    from bespeak.decide.pages.page import PageRequest, page_request, rows_request
    from bespeak.decide.request import DecideRequest, listed_items
    from bespeak.decide.trying.foreign import ForeignItem
    from bespeak.decide.variants.settings import VariantPlacement
    from bespeak.engine.deciding.pages import PageSlates
    from bespeak.engine.deciding.slates import Slate
    from bespeak.engine.engine import Engine, Tracked
    from bespeak.engine.writing.writer import WriteRequest, Written
    from bespeak.signals.decisions import Decision
    from bespeak.storage.tables.log import Reject

_HOME = {
    "DecideRequest": "bespeak.decide.request",
    "Decision": "bespeak.signals.decisions",
    "Engine": "bespeak.engine.engine",
    "ForeignItem": "bespeak.decide.trying.foreign",
    "PageRequest": "bespeak.decide.pages.page",
    "PageSlates": "bespeak.engine.deciding.pages",
    "Reject": "bespeak.storage.tables.log",
    "Slate": "bespeak.engine.deciding.slates",
    "Tracked": "bespeak.engine.engine",
    "VariantPlacement": "bespeak.decide.variants.settings",
    "WriteRequest": "bespeak.engine.writing.writer",
    "Written": "bespeak.engine.writing.writer",
    "listed_items": "bespeak.decide.request",
    "page_request": "bespeak.decide.pages.page",
    "rows_request": "bespeak.decide.pages.page",
}
"""Public name -> its module, imported at first use: whoever needs the clock or the settings waits for no model."""

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


__getattr__ = at_first_use(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
