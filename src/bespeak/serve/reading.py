"""The routes that read and write single things: items, profiles, decisions, health, metrics.

Handlers are plain functions from a `Call` to a value; the route table names their types, `app` does the rest.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bespeak.errors import BespeakError, InvalidInput, UnknownName
from bespeak.intake.items import item_to_json
from bespeak.serve.replies import Failure
from bespeak.serve.requests import Caller, caller_of, decoded, require_secret, whole_numbers
from bespeak.serve.shapes import Id
from bespeak.web.site import Site

MAX_ITEMS = 10_000


@dataclass(frozen=True)
class Call:
    """One request to a plain handler.

    Attributes:
        path: values of the path's parameters.
        query: values of the query string, the last one of each name.
    """

    site: Site
    headers: Mapping[str, str]
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""

    def caller(self) -> Caller:
        """Returns who calls; raises `NotAllowed` for an unknown key."""
        return caller_of(self.site, self.headers)


class ItemsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of PUT /api/items: whole items, in the shape of the catalogue."""

    items: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MAX_ITEMS)]


class PatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of PATCH /api/items: item id -> the fields to change (a JSON merge patch)."""

    items: Annotated[dict[Id, dict[str, Any]], Meta(min_length=1, max_length=MAX_ITEMS)]


class DeleteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of DELETE /api/items: ids."""

    ids: Annotated[list[Id], Meta(min_length=1, max_length=MAX_ITEMS)]


class Changed(msgspec.Struct, frozen=True):
    """How many items were written or deleted."""

    n: int


class ItemPage(msgspec.Struct, frozen=True):
    """Items in id order; `next` is the `after` of the following page, "" at the end."""

    items: list[dict[str, Any]]
    next: str


class Health(msgspec.Struct, frozen=True):
    """`ok`, or what is wrong; `worker` names the process that answers."""

    status: str
    worker: str = ""
    store: str = "ok"
    models_version: int = 0
    items: int = 0
    waiting: int = 0


# -- items -------------------------------------------------------------------------------------------------------------
def put_items(call: Call) -> Changed:
    """Writes whole items; an item that is wrong is named and nothing is written."""
    require_secret(call.caller())
    wanted: ItemsBody = decoded(call.body, ItemsBody)
    return Changed(call.site.engine.items.put(whole_numbers(wanted.items)))


def patch_items(call: Call) -> Changed:
    """Merges changes into items that exist."""
    require_secret(call.caller())
    wanted: PatchBody = decoded(call.body, PatchBody)
    return Changed(call.site.engine.items.patch(whole_numbers(wanted.items)))


def delete_items(call: Call) -> Changed:
    """Deletes items by id; unknown ids change nothing."""
    require_secret(call.caller())
    wanted: DeleteBody = decoded(call.body, DeleteBody)
    return Changed(call.site.engine.items.delete(wanted.ids))


def list_items(call: Call) -> ItemPage:
    """Lists items in id order."""
    require_secret(call.caller())
    text = call.query.get("limit", "100")
    if not (text.isascii() and text.isdigit() and len(text) <= 4) or not 1 <= int(text) <= 1000:
        raise InvalidInput("limit must be a number from 1 to 1000.")
    limit = int(text)
    items = call.site.engine.items.page(call.query.get("after", ""), limit)
    return ItemPage([item_to_json(item) for item in items], items[-1].id if len(items) == limit else "")


def get_item(call: Call) -> dict[str, Any]:
    """Returns one item."""
    require_secret(call.caller())
    item_id = call.path["item_id"]
    found = call.site.engine.items.get([item_id])
    if item_id not in found:
        raise UnknownName("item", item_id, [])
    return item_to_json(found[item_id])


# -- people ------------------------------------------------------------------------------------------------------------
def get_profile(call: Call) -> dict[str, Any]:
    """Returns what is known of a person: to a secret key, or to the person themselves (by token)."""
    caller = call.caller()
    user_id = call.path["user_id"]
    if not caller.is_secret and caller.user_id != user_id:
        raise Failure(
            403, "not_yours", "A profile is shown to a secret key or to the person.", hint="Send X-Person-Token."
        )
    found = call.site.engine.profiles.readable(user_id, or_anonymous=caller.is_secret)
    if found is None:
        raise Failure(404, "unknown_person", "Nothing is known of this person.")
    return found


def get_decision(call: Call) -> dict[str, Any]:
    """Returns one decision record: to a secret key, or to the person it was made for (by token)."""
    caller = call.caller()
    found = call.site.engine.decision(call.path["decision_id"])
    unknown = Failure(404, "unknown_decision", "There is no such decision, or it is not yours.")
    if found is None:
        raise unknown
    if not caller.is_secret:
        profiles = call.site.engine.profiles
        person = profiles.find(caller.user_id, or_anonymous=False) if caller.user_id else None
        if person is None or found.person != person:
            raise unknown
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


# -- health ------------------------------------------------------------------------------------------------------------
def live(call: Call) -> Health:
    """The process runs."""
    del call
    return Health("ok", multiprocessing.current_process().name)


def ready(call: Call) -> Health:
    """The store answers and events can be taken in; 503 otherwise."""
    engine = call.site.engine
    try:
        engine.core.check()
    except BespeakError as error:
        raise Failure(503, "not_ready", "The store cannot be reached.", hint="See the server's log.") from error
    return Health(
        status="ok",
        worker=multiprocessing.current_process().name,
        models_version=engine.core.runtime.keeper.models_version,
        items=engine.items.count(),
        waiting=engine.core.n_waiting(),
    )
