"""The one snapshot that a decision is made with: configuration, catalogue, counters and models together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.counters import DAY_MS, ItemCounters
from bespeak.catalogue.joined import JoinedFacets
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.catalogue.text_index import TextIndex
from bespeak.decide.rankers.score import Weights
from bespeak.decide.serving.model_set import ModelSet
from bespeak.decide.settings.pages import BUILT_IN_PAGES, Page
from bespeak.decide.settings.placements import BUILT_IN, Placement
from bespeak.decide.trial import Policy, Rollout, Trial
from bespeak.decide.variants.bandits import Posterior
from bespeak.decide.variants.creative_sums import CreativeSums
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.decide.variants.when import Line, Names, read_line
from bespeak.errors import InvalidInput, UnknownName
from bespeak.measure.assignment import Experiment
from bespeak.rules import Rule, parse
from bespeak.rules.schema import Schema
from bespeak.signals.purposes import Purposes
from bespeak.signals.signal import SignalClass

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]

Learned: TypeAlias = tuple[str, str]
"""(placement, learning digest): policies of a placement that learn in the same way share what they learned."""

FRESH_HALF_LIFE_DAYS = 14.0


@dataclass(frozen=True, eq=False)
class World:
    """Everything a decision reads besides the request and the person. Immutable; a change makes a new one.

    Attributes:
        catalogue: the items.
        counters: popularity and trend, for this catalogue.
        text_index: search, for this catalogue.
        models: the loaded models, mapped to this catalogue.
        placements: name -> settings, of those that show items.
        variants: name -> settings, of those that show one of declared variants.
        pages: name -> settings.
        policies: placement -> version of its policy; one that is missing counts as version 1.
        classes: signal class -> weight, verb, half-life.
        weights: signal -> weight of the linear score, where none were learned.
        learned: placement -> its learned weights.
        click_rates: placement -> float64[n], how often each item brings something where it is looked at, -1..1.
        purposes: the project's purposes.
        config_version: of the configuration.
        locale: language of titles where a request names none.
        launches: placement -> the experiment that tells what personalizing it is worth.
        trials: placement -> the experiments that are not stopped, in order of name.
        rollouts: placement -> the policy before, for those who do not get the newest yet.
        shadows: placement -> the policy that decides beside and is not shown.
        seed: of the project, for placements that explore.
        posteriors: (placement with variants, learning digest) -> what its outcomes say; missing: nothing yet.
        creative_sums: (placement, learning digest) -> what came of showing its creatives.
        action_sums: (placement, learning digest) -> what came of its actions, each as a creative "" of its item.
        names: what the lines of creatives may name.
        used_up: offers that nobody is shown: no code or no budget is left.

    Raises:
        ValueError: counters, text index or models were made for a catalogue of another size.
    """

    catalogue: CatalogueSnapshot
    counters: ItemCounters
    text_index: TextIndex
    models: ModelSet = field(default_factory=ModelSet)
    placements: Mapping[str, Placement] = field(default_factory=lambda: BUILT_IN)
    variants: Mapping[str, VariantPlacement] = field(default_factory=dict)
    pages: Mapping[str, Page] = field(default_factory=lambda: BUILT_IN_PAGES)
    policies: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, SignalClass] = field(default_factory=dict)
    weights: Weights = field(default_factory=Weights)
    learned: Mapping[str, Weights] = field(default_factory=dict)
    click_rates: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    purposes: Purposes = field(default_factory=Purposes)
    config_version: int = 0
    locale: str = ""
    launches: Mapping[str, Experiment] = field(default_factory=dict)
    trials: Mapping[str, Sequence[Trial]] = field(default_factory=dict)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    shadows: Mapping[str, Policy] = field(default_factory=dict)
    seed: int = 0
    posteriors: Mapping[Learned, Posterior] = field(default_factory=dict)
    creative_sums: Mapping[Learned, CreativeSums] = field(default_factory=dict)
    action_sums: Mapping[Learned, CreativeSums] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    used_up: frozenset[str] = frozenset()
    _rules: dict[str, Rule] = field(default_factory=dict, init=False, repr=False)
    _lines: dict[str, Line] = field(default_factory=dict, init=False, repr=False)
    _popular: dict[str, tuple[Int32s, Int64s]] = field(default_factory=dict, init=False, repr=False)
    _value_popularity: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False)
    _joined: dict[tuple[str, ...], JoinedFacets] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        n_items = len(self.catalogue)
        sizes = {"counters": len(self.counters.popularity), "text_index": self.text_index.n_items}
        sizes |= {f"click rates of {name}": len(rates) for name, rates in self.click_rates.items()}
        sizes |= {f"model {model.name}": len(model.items.from_catalogue) for model in self.models.models}
        wrong = [f"{name} ({size})" for name, size in sizes.items() if size != n_items]
        if wrong:
            raise ValueError(f"made for another catalogue than this one of {n_items} items: {', '.join(wrong)}")

    def placement(self, name: str) -> Placement:
        """Returns the settings of a placement that shows items.

        Raises:
            UnknownName: there is none of this name; with the names there are.
            InvalidInput: it shows variants.
        """
        found = self.placements.get(name)
        if found is not None:
            return found
        if name in self.variants:
            problem = f"The placement '{name}' shows one of its variants, not items."
            raise InvalidInput(problem, hint=f"Placements with items: {', '.join(sorted(self.placements))}.")
        raise UnknownName("placement", name, sorted([*self.placements, *self.variants]))

    def variant_placement(self, name: str) -> VariantPlacement:
        """Returns the settings of a placement that shows variants; raises `UnknownName` with the names there are."""
        try:
            return self.variants[name]
        except KeyError:
            raise UnknownName("variant placement", name, sorted(self.variants)) from None

    def variants_of(self, placement: str, policy: str) -> Mapping[str, Any]:
        """Returns variant -> value of a placement as a policy declares them; as its own does where that is unknown."""
        rollout = self.rollouts.get(placement)
        if rollout is not None and rollout.before.name == policy:
            before = rollout.before.settings
            if isinstance(before, VariantPlacement):
                return before.settings.variants
        return self.variant_placement(placement).settings.variants

    def posterior(self, placement: VariantPlacement) -> Posterior:
        """Returns what is known of the variants of a policy."""
        return self.posteriors.get((placement.name, placement.learning_digest)) or placement.nothing_learned

    def weights_of(self, placement: str, settings: Placement | None = None) -> Weights:
        """Returns the weights that a placement scores with.

        Args:
            placement: its name.
            settings: of a policy that decides in place of the placement's own; one with weights of its own, or that
                lets none be learned, is not given the learned ones.
        """
        own = self.placements.get(placement)
        is_own = settings is None or own is None or (settings.learn and settings.weights == own.weights)
        return self.learned.get(placement, self.weights) if is_own else self.weights

    def page(self, name: str) -> Page:
        """Returns the settings of a page; raises `UnknownName` with the names there are."""
        try:
            return self.pages[name]
        except KeyError:
            raise UnknownName("page", name, sorted(self.pages)) from None

    @cached_property
    def memory_hours(self) -> float:
        """How far back it must be known what people were shown, in hours, so that every placement can go by it."""
        return max((placement.memory_hours for placement in self.placements.values()), default=0.0)

    def line(self, text: str) -> Line:
        """Returns a line `RULE show VARIANT`, parsed once; raises `ConfigError` where it is wrong."""
        found = self._lines.get(text)
        if found is None:
            found = self._lines[text] = read_line(text, self.names, "when")
        return found

    def rule_about_people(self, text: str) -> Rule:
        """Returns a rule over a person and the circumstances, parsed once; raises `RuleError` where it is wrong."""
        found = self._rules.get(text)
        if found is None:
            found = self._rules[text] = parse(text, self.names.schema(text))
        return found

    def policy(self, placement: str) -> str:
        """Returns the policy as records name it, such as `home@3`."""
        return f"{placement}@{self.policies.get(placement, 1)}"

    def popular_of(self, facet: str) -> tuple[Int32s, Int64s]:
        """(items, starts) as `FacetColumn.items_of`, but each value's items most popular first, ties by lower index.

        Made at first use and kept with the world, so that a decision only reads the head of a few values.
        """
        found = self._popular.get(facet)
        if found is None:
            column, order = self.catalogue.facets[facet], self.counters.by_popularity
            places, starts = replace(column, codes=column.codes[order]).items_of
            found = self._popular[facet] = order[places], starts
        return found

    def popularity_of_values(self, facet: str) -> npt.NDArray[np.float64]:
        """float64[v]: how popular the items of each value are together; made at first use and kept with the world."""
        found = self._value_popularity.get(facet)
        if found is None:
            column = self.catalogue.facets[facet]
            weights = np.repeat(self.counters.popularity, column.codes.shape[1])
            sums = np.bincount(column.codes.ravel(), weights, minlength=len(column.vocabulary) + 1)[:-1]
            found = self._value_popularity[facet] = np.asarray(sums, np.float64)
        return found

    def joined_facets(self, names: tuple[str, ...]) -> JoinedFacets:
        """Returns some facets of the catalogue as one; made at first use and kept with the world."""
        found = self._joined.get(names)
        if found is None:
            facets = {name: self.catalogue.facets[name] for name in names}
            found = self._joined[names] = JoinedFacets.of(facets, len(self.catalogue))
        return found

    def freshness(self, rows: Int32s, now_ms: int) -> npt.NDArray[np.float64]:
        """float64: 1 for an item that is out now, halving every `FRESH_HALF_LIFE_DAYS`; 0 when its date is unknown."""
        born = self.catalogue.born_ms[rows]
        age_days = np.maximum(now_ms - born, 0) / DAY_MS
        return np.where(born > 0, np.exp2(-age_days / FRESH_HALF_LIFE_DAYS), 0.0)


@lru_cache(maxsize=512)
def rule_of(text: str, schema: Schema) -> Rule:
    """Returns a parsed filter; raises `RuleError` with position and allowed names."""
    return parse(text, schema)
