"""Reasons: the exact terms of the score, the largest first, each with a sentence a person understands.

A sentence speaks of the person's own doings, of the item, or of sums over many. "People who viewed X also viewed this"
is said only of pairs behind which at least five distinct people stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.counters import DAY_MS
from bespeak.decide.rankers.score import Scored
from bespeak.decide.reasons.evidence import Evidence
from bespeak.decide.scoring.affinity import Family, facet_values
from bespeak.decide.scoring.features import FeatureMatrix
from bespeak.decide.scoring.past_items import PURCHASE, past_items
from bespeak.decide.scoring.similarity import bond
from bespeak.decide.serving.model_set import MappedModel
from bespeak.decide.situation import Situation
from bespeak.signals.decisions import Reason

Int32s: TypeAlias = npt.NDArray[np.int32]
Float64s: TypeAlias = npt.NDArray[np.float64]

NEW_DAYS = 7
_BEFORE_VALUE: Mapping[str, str] = MappingProxyType(
    {
        "category": "in",
        "categories": "in",
        "genre": "in",
        "genres": "in",
        "topic": "in",
        "topics": "in",
        "section": "in",
        "colour": "in",
        "color": "in",
        "brand": "from",
        "artist": "by",
        "author": "by",
        "director": "by",
        "tags": "tagged",
        "tag": "tagged",
    }
)
_MODEL_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "popularity": "liked by many",
        "recent_popularity": "liked by many lately",
        "trending": "rising right now",
        "user_neighbours": "chosen by people with a similar taste",
        "segment_popularity": "liked by many",
    }
)
_PEOPLE: Mapping[str, str] = MappingProxyType(
    {
        "age_band": "of {}",
        "gender": "of gender {}",
        "country": "from {}",
        "region": "from {}",
        "city": "from {}",
        "language": "who speak {}",
    }
)
"""Trait -> how the people who have it are called."""
_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "trending": "rising right now",
        "match": "matches your search",
        "listed": "high in the list that was given",
        "near": "near you",
        "click_rate": "often chosen where it is shown",
        "rotation": "shown to you lately",
        "trees": "how all of this goes together",
    }
)


class Explainer:
    """Gives the reasons of the chosen candidates of one decision.

    Args:
        situation: what was asked.
        rows: int32[c], the catalogue indices of all candidates.
        matrix, scored: their features and scores.
        chosen: the candidates that reasons will be asked for.
        limit: reasons for each of them; None gives all.
    """

    def __init__(
        self,
        situation: Situation,
        rows: Int32s,
        matrix: FeatureMatrix,
        scored: Scored,
        chosen: Sequence[int],
        limit: int | None = None,
    ) -> None:
        self._situation = situation
        self._rows = rows
        own = list(chosen)
        self._terms = dict(zip(own, _largest(scored.contributions[own], limit), strict=True))
        self._values = dict(zip(own, matrix.values[own].tolist(), strict=True))
        told: dict[tuple[str, str, int, bool], tuple[str, str]] = {}
        self._told = situation.reading.once("told of values", lambda: told)
        self._causes: dict[str, dict[int, int]] = {}
        self._matrix = matrix
        self._weights = scored.weights.tolist()
        self._evidence = Evidence(situation)
        self._locale = situation.request.context.locale or situation.world.locale

    def reasons(self, candidate: int) -> tuple[Reason, ...]:
        """The terms of one candidate that are not 0, largest contribution first, up to the limit."""
        index, values, names = int(self._rows[candidate]), self._values[candidate], self._matrix.names
        found = []
        for place, contribution in self._terms[candidate]:
            signal, text = self._sentence(names[place], index, values[place])
            weight = self._weights[place]
            reason = Reason(signal=signal, value=values[place], weight=weight, contribution=contribution, text=text)
            found.append(reason)
        return tuple(found)

    def features(self, candidate: int) -> dict[str, float]:
        """Feature -> value, zeros left out."""
        named = zip(self._matrix.names, self._values[candidate], strict=True)
        return {name: value for name, value in named if value}

    def _sentence(self, name: str, index: int, value: float) -> tuple[str, str]:
        """(signal, text) of one term."""
        family, _, rest = name.partition(".")
        if rest and family in _OF_FAMILIES:
            return _OF_FAMILIES[family](self, rest, index, value)
        if name in self._matrix.pulls:
            return name, self._pull(name, index)
        own = _OF_NAMES.get(name)
        return name, own(self, index) if own is not None else _PLAIN.get(name, name)

    def _affinity(self, facet: str, index: int, value: float) -> tuple[str, str]:
        return self._facet("affinity", facet, index, value, "")

    def _session(self, facet: str, index: int, value: float) -> tuple[str, str]:
        return self._facet("session", facet, index, value, " just now")

    def _facet(self, family: Family, facet: str, index: int, value: float, when: str) -> tuple[str, str]:
        codes = self._situation.world.catalogue.facets[facet].codes[index].tolist()
        code = codes[0]
        if len(codes) > 1:
            table = facet_values(self._situation).family(family).of(facet)
            code = min(codes, key=lambda own: abs(float(table[own]) - value))
        key = family, facet, code, value > 0
        told = self._told.get(key)  # the items of a slate share values
        if told is None:
            told = self._told[key] = self._of_value(*key, when)
        return told

    def _of_value(self, family: str, facet: str, code: int, is_positive: bool, when: str) -> tuple[str, str]:
        shown = self._situation.world.catalogue.facets[facet].vocabulary[code]
        where = f"{_BEFORE_VALUE.get(facet, f'with {facet}')} {shown}"
        if family == "session":
            said = self._evidence.session_counts(facet, code, is_positive=is_positive)
        else:
            said = self._evidence.counts(facet, code, shown, is_positive=is_positive)
        return f"{family}.{facet}={shown}", f"{said.sentence(where, shown)}{when}"

    def _model(self, name: str, index: int, value: float) -> tuple[str, str]:
        signal = f"model.{name}"
        model = self._situation.world.models.named(name)
        has_acted = len(self._situation.known.touched) > 0
        trait = model.leading_trait(self._situation.past, index) if model is not None and value > 0 else None
        if trait is not None and (name == "segment_popularity" or not has_acted):
            said = "popular with" if name == "segment_popularity" else "suits"  # only the first counts people
            return f"{signal}.{trait[0]}={trait[1]}", f"{said} {_people(*trait)}"
        new = self._new(model, index) if model is not None and value > 0 else ""
        if new or name in _MODEL_TEXTS or model is None:
            return signal, new or _MODEL_TEXTS.get(name, name)
        if value < 0:
            return signal, "unlike what you usually choose"
        cause = self._cause(model, index)
        behind = "content" if name == "content" else bond(self._situation.world.models, cause, index)
        if cause < 0 or not (behind or cause == index):
            return signal, "goes with what you chose before" if has_acted else "liked by many"
        title = self._title(cause)
        if behind == "people" and model.loaded.shows_people:
            return signal, f"people who viewed {title} also viewed this"
        did = self._evidence.verb_for(cause)
        return signal, f"like {title}, which you {did}" if behind == "content" else f"because you {did} {title}"

    def _new(self, model: MappedModel, index: int) -> str:
        """What is said of an item that borrows its score; "" of one that does not."""
        lenders, weights = model.new_items.lent_to(index)
        if not len(lenders):
            return ""
        lent = self._situation.model_scores.at(model.name, lenders) * weights
        if not (lent > 0).any():
            return ""
        known = self._situation.known
        is_liked = np.isin(lenders, known.touched[known.weights > 0]) & (lent > 0)
        # What the person likes themselves says more than what goes with it.
        most = max(range(len(lent)), key=lambda place: (is_liked[place], lent[place]))
        like = f"new, like {self._title(int(lenders[most]))}"
        if not model.is_personal or not len(known.touched):
            return f"{like}: {_MODEL_TEXTS.get(model.name, 'liked by many')}"
        if is_liked[most]:
            return f"{like}, which you {self._evidence.verb_for(int(lenders[most]))}"
        return f"{like}, which goes with what you chose before"

    def _cause(self, model: MappedModel, index: int) -> int:
        """The item of the history that adds most to the model's score; asked once for all items that it is told of."""
        causes = self._causes.get(model.name)
        if causes is None:
            place = self._matrix.names.index(f"model.{model.name}")
            told = [candidate for candidate, terms in self._terms.items() if any(term == place for term, _ in terms)]
            causes = self._causes[model.name] = model.causes(self._situation.past, self._rows[told])
        return causes.get(index, -1)

    def _pull(self, name: str, index: int) -> str:
        pull = self._matrix.pulls[name]
        seed = int(pull.via[index])
        title = self._title(seed)
        if name == "bought_with":
            return f"bought together with {title}, which is in your cart"
        if name == "cart":
            return f"goes with {title} in your cart"
        if pull.by_people[index]:
            return f"people who viewed {title} also viewed this"
        if name == "similar" and self._situation.is_about_asked:
            return f"similar to {title}"
        return f"because you {self._evidence.verb_for(seed)} {title}"

    def _fit(self, name: str, index: int, value: float) -> tuple[str, str]:
        what = "prices" if name.startswith("price") else f"{name.replace('_', ' ')}s"
        return f"fit.{name}", f"near the {what} you usually choose"

    def _context(self, key: str, index: int, value: float) -> tuple[str, str]:
        return f"context.{key}", f"fits {key} {self._situation.request.context.declared[key]}"

    def _cross(self, rest: str, index: int, value: float) -> tuple[str, str]:
        when, _, what = rest.partition("*")
        circumstance, _, held = when.partition("=")
        name, _, word = what.partition("=")
        weight = self._weights[self._matrix.names.index(f"cross.{rest}")]
        often = "often" if weight * value > 0 else "seldom"
        chosen = f"{name} {word}" if word else f"such {name.replace('_', ' ')}"
        return f"cross.{rest}", f"{chosen} is {often} chosen {_when(circumstance, held)}"

    def _boost(self, name: str, index: int, value: float) -> tuple[str, str]:
        return f"boost.{name}", f"raised or lowered by the site: {name}"

    def _repeat(self, index: int) -> str:
        return self._evidence.repeat(index)

    def _fatigue(self, index: int) -> str:
        return self._evidence.shown(index)

    def _viewed(self, index: int) -> str:
        return f"you {self._evidence.verb_for(index)} this lately"

    def _bought(self, index: int) -> str:
        n = self._evidence.n_of(PURCHASE, index)
        return "you bought this before" if n < 2 else f"you bought this {n} times, and it may be time again"

    def _started(self, index: int) -> str:
        person = self._situation.person
        line = person.progress.get(self._situation.world.catalogue.item_ids[index]) if person is not None else None
        return f"you saw {line.fraction:.0%} of this" if line is not None else "you started this"

    def _next(self, index: int) -> str:
        cause = past_items(self._situation.reading, "next").causes[index]
        return f"comes after {self._title(cause)}, which you finished"

    def _alike(self, index: int) -> str:
        return f"much in common with {self._title(self._situation.about)}"

    def _popular(self, index: int) -> str:
        week = self._situation.world.counters.week
        return "popular this week" if any(counts[index] > 0 for counts in week.values()) else "popular"

    def _fresh(self, index: int) -> str:
        age_days = (self._situation.now_ms - int(self._situation.world.catalogue.born_ms[index])) / DAY_MS
        if age_days < NEW_DAYS:
            return "new this week"
        return "new this month" if age_days < 30 else "fairly new"

    def _title(self, index: int) -> str:
        return self._situation.world.catalogue.title(index, self._locale)


# Functions and not bound methods: an explainer that held those would hold itself, and with it all arrays of a decision
# until the garbage collector comes.
_OF_FAMILIES: Mapping[str, Callable[[Explainer, str, int, float], tuple[str, str]]] = MappingProxyType(
    {
        "affinity": Explainer._affinity,
        "session": Explainer._session,
        "model": Explainer._model,
        "fit": Explainer._fit,
        "context": Explainer._context,
        "cross": Explainer._cross,
        "boost": Explainer._boost,
    }
)
_OF_NAMES: Mapping[str, Callable[[Explainer, int], str]] = MappingProxyType(
    {
        "popular": Explainer._popular,
        "fresh": Explainer._fresh,
        "repeat": Explainer._repeat,
        "fatigue": Explainer._fatigue,
        "alike": Explainer._alike,
        "viewed": Explainer._viewed,
        "bought": Explainer._bought,
        "started": Explainer._started,
        "next": Explainer._next,
    }
)


def _people(trait: str, value: str) -> str:
    """The people who have a trait.

    Example:
        >>> _people("age_band", "25-34"), _people("profession", "nurse")
        ('people of 25-34', 'people whose profession is nurse')
    """
    return "people " + _PEOPLE.get(trait, f"whose {trait.replace('_', ' ')} is {{}}").format(value)


def _when(circumstance: str, held: str) -> str:
    """How a circumstance is told.

    Example:
        >>> _when("daypart", "evening"), _when("device", "mobile"), _when("trait.age_band", "25-34")
        ('in the evening', 'on mobile', 'by people of 25-34')
        >>> _when("prediction.churn", "high")
        'by people whose foretold churn is high'
    """
    if circumstance in ("daypart", "day"):
        told = {"night": "at night", "weekday": "on weekdays", "weekend": "at the weekend"}
        return told.get(held, f"in the {held}")
    if circumstance in ("device", "os"):
        return f"on {held}"
    if circumstance.startswith("trait."):
        return f"by {_people(circumstance.removeprefix('trait.'), held)}"
    if circumstance.startswith("prediction."):
        return f"by people whose foretold {circumstance.removeprefix('prediction.').replace('_', ' ')} is {held}"
    return f"with {circumstance.removeprefix('declared.').replace('_', ' ')} {held}"


def _largest(contributions: Float64s, limit: int | None) -> list[list[tuple[int, float]]]:
    """For every row of float64[n, f] the (place, contribution) of its terms that are not 0.

    The largest come first; of equals the first. At most `limit` of them.
    """
    orders = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :limit]
    return [
        [(place, row[place]) for place in order if row[place]]
        for row, order in zip(contributions.tolist(), orders.tolist(), strict=True)
    ]
