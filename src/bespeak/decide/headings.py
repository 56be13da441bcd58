"""What stands above the items of a slate, and what it is about."""

from __future__ import annotations

from bespeak.decide.settings.placements import Placement
from bespeak.decide.situation import Situation


def heading_of(situation: Situation) -> str:
    """The heading in the language of the request; "" where there is none, or what it speaks of is not there."""
    text = localised(situation.placement, situation.request.context.locale, situation.world.locale)
    words = {}
    catalogue, subject = situation.world.catalogue, situation.subject
    if subject.item >= 0:
        words["title"] = catalogue.title(subject.item, situation.request.context.locale or situation.world.locale)
    if subject.value is not None:
        facet, code = subject.value
        words["value"] = catalogue.facets[facet].vocabulary[code]
    try:
        return text.format_map(words)
    except KeyError:
        return ""


def about_of(situation: Situation) -> dict[str, str]:
    """What a record says of the subject: `item`, or `facet` and `value`; empty where there is none."""
    catalogue, subject = situation.world.catalogue, situation.subject
    if subject.item >= 0:
        return {"item": catalogue.item_ids[subject.item]}
    if subject.value is not None:
        facet, code = subject.value
        return {"facet": facet, "value": catalogue.facets[facet].vocabulary[code]}
    return {}


def localised(placement: Placement, *locales: str) -> str:
    """The heading of a placement in the first of some locales that it has, else in English, else the first.

    Example:
        >>> row = Placement(heading={"de": "Neu", "en": "New"})
        >>> localised(row, "de-AT", "en"), localised(row, "fr")
        ('Neu', 'New')
    """
    texts = placement.heading
    if isinstance(texts, str):
        return texts
    for locale in (*locales, "en"):
        wanted = locale.replace("_", "-")
        while wanted:
            if wanted in texts:
                return texts[wanted]
            wanted = wanted.rpartition("-")[0]
    return next(iter(texts.values()), "")
