"""People: find one by an id, and see what is known of them, from which events, how strong."""

from __future__ import annotations

from starlette.responses import Response

from bespeak.console.answers import go, html
from bespeak.console.desk import Desk, Visit
from bespeak.console.events import about
from bespeak.errors import UnknownName
from bespeak.signals.purposes import PURPOSE_TEXTS

N_RECENT_PEOPLE = 30
N_EVENTS = 40


def people_page(desk: Desk, visit: Visit) -> Response:
    """Shows the search and who was here last."""
    return html(_people(desk, visit, sought=""))


def people_search(desk: Desk, visit: Visit) -> Response:
    """Goes to the person an id leads to. The id travels in the form, so that no log of addresses keeps it."""
    sought = visit.form.get("id", "").strip()[:300]
    person = desk.queries.find_person(sought) if sought else None
    if person is not None:
        return go(f"{desk.root}/people/{person}", is_fragment=visit.is_fragment)
    return html(_people(desk, visit, sought=sought), 404 if sought else 200)


def person_page(desk: Desk, visit: Visit) -> Response:
    """Shows one profile."""
    number = visit.path["person"]
    known = desk.queries.person(number)
    if known is None:
        raise UnknownName("person", str(number), [])
    item_ids = {step["item"] for step in known.get("recent", [])} | set(known.get("cart", {}))
    item_ids |= {row["item"] for row in known.get("items", [])}
    purposes = desk.engine.core.config.purposes
    return html(
        desk.render(
            "console/person.html",
            visit,
            page="people",
            title=known["label"] or f"Person {number}",
            number=number,
            known=known,
            events=[(row, about(row)) for row in desk.queries.events_of(number, N_EVENTS)],
            titles=desk.queries.titles(sorted(item_ids)),
            purposes=[(name, PURPOSE_TEXTS.get(name, "")) for name in purposes.all],
            placements=list(desk.queries.placements()),
        )
    )


def _people(desk: Desk, visit: Visit, sought: str) -> str:
    return desk.render(
        "console/people.html",
        visit,
        page="people",
        title="People",
        found=desk.queries.recent_people(N_RECENT_PEOPLE),
        sought=sought,
    )
