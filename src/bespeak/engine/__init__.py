"""The facade: one engine over a store, with the write path, the read path, training, privacy and jobs.

engine      the facade and its life        ingest     the write path, one transaction per micro-batch
decisions   the read path, with its log    pages      the same for whole pages; flags for clients that ask again
config      every section of the file      writer     the thread that commits batches
clock       the only reader of the clock   worlds     the snapshot that decisions are made with
project     a folder: paths, keys, files   jobs       leases, fences, what runs beside `serve`
folding     log -> live profiles           training   log -> lake -> models, and their evaluation
privacy     who holds a person; rights     views      what people look at: console, report, exports
"""

from bespeak.decide.pages.page import PageRequest, page_request, rows_request
from bespeak.decide.request import DecideRequest, listed_items
from bespeak.decide.slates.foreign import ForeignItem
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.engine.engine import Engine, Tracked
from bespeak.engine.pages import PageSlates
from bespeak.engine.slates import Slate
from bespeak.engine.writer import WriteRequest, Written
from bespeak.signals.decisions import Decision
from bespeak.storage.log import Reject

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
