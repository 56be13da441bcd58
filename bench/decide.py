"""How long one decision takes: 10,000 items, 500 candidates, about 40 features, with reasons.

Prints milliseconds and ratios to a NumPy floor measured in the same run: multiplying and summing the feature matrix and
taking the ten best. The garbage collector is set as `serve` sets it. Run it alone on the machine:
`python bench/decide.py [--items 10000] [--rounds 300] [--json]`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bespeak.catalogue.counters import DAY_MS, ItemCounters
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.catalogue.text_index import TextIndex
from bespeak.decide.candidates import gather
from bespeak.decide.decide import decide, fallback
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.rankers.forest import TREES, Forest
from bespeak.decide.rankers.score import Weights
from bespeak.decide.request import DecideRequest
from bespeak.decide.scoring.features import compute
from bespeak.decide.serving.model_set import LoadedModel, ModelSet
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.situation import Situation
from bespeak.decide.world import World
from bespeak.engine.writing.collector import calm_collector
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.content import Content
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.item_weights.ease import Ease
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.models.popular.recent_popularity import RecentPopularity
from bespeak.models.popular.trending import Trending
from bespeak.models.sequences.sequence_rules import SequenceRules
from bespeak.profiles.fold import fold
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import FoldSettings
from bespeak.profiles.view import ProfileView
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.events import Context
from bespeak.signals.items import Item, Market
from bespeak.signals.purposes import Purposes
from bespeak.signals.signal import Signal
from parts.figures import emit, options, tell

NOW_MS = 1_750_000_000_000
FACETS = {
    "category": 40,
    "brand": 300,
    "genre": 25,
    "artist": 800,
    "author": 800,
    "topic": 60,
    "tags": 400,
    "colour": 12,
}
NUMBERS = ("price", "price_percentile", "rating")
WORDS = 6_000


def items_of(n_items: int, rng: np.random.Generator) -> list[Item]:
    """Items with eight facets, three numbers, a title and a description."""
    words = ["".join(rng.choice(list("abcdefghiklmnoprstuvw"), rng.integers(3, 9))) for _ in range(WORDS)]
    made = []
    for i in range(n_items):
        attributes: dict[str, str | float | bool | list[str]] = {
            name: f"{name}{min(int(rng.zipf(1.3)), size)}" for name, size in FACETS.items() if name != "tags"
        }
        attributes["tags"] = [f"tags{t}" for t in rng.integers(0, FACETS["tags"], 4)]
        attributes["rating"] = float(rng.integers(1, 6))
        made.append(
            Item(
                id=f"p{i}",
                title=" ".join(rng.choice(words, 4)),
                description=" ".join(rng.choice(words, 20)),
                group=f"g{i // 2}",
                attributes=attributes,
                markets={"default": Market(price=int(rng.integers(100, 99_999)), currency="EUR")},
                published_at=NOW_MS - int(rng.integers(0, 700)) * DAY_MS,
            )
        )
    return made


def world_of(n_items: int, n_people: int, rng: np.random.Generator) -> World:
    """A world with eight fitted models."""
    items = items_of(n_items, rng)
    catalogue = CatalogueSnapshot.build(items, tuple(FACETS), NUMBERS, version=1)
    n_events = 40 * n_people
    users = rng.integers(0, n_people, n_events)
    chosen = (n_items * rng.random(n_events) ** 3).astype(np.int64)
    times = NOW_MS - rng.integers(0, 90 * DAY_MS, n_events)
    data = Interactions.from_arrays(
        [f"u{i}" for i in range(n_people)], catalogue.item_ids, users, chosen, times_ms=times
    )
    content = ItemContent(
        catalogue.item_ids,
        texts=[item.title for item in items],
        attributes={name: [list(f.values_at(i)) for i in range(n_items)] for name, f in catalogue.facets.items()},
    )
    models: list[Model] = [
        Ease(l2=200.0, precision="float32"),
        ItemNeighbours(),
        Content(),
        ImplicitMf(factors=64, seed=1),
        SequenceRules(),
        Popularity(),
        RecentPopularity(),
        Trending(),
    ]
    loaded = [LoadedModel.of(model.fit(data, content), 1, is_best=model.name == "ease") for model in models]
    classes = SignalCatalogue.built_in().classes
    counts = [(catalogue.item_ids[i], "view", int(t // DAY_MS), 1.0) for i, t in zip(chosen, times, strict=True)]
    weights = {name: signal_class.prior_weight for name, signal_class in classes.items()}
    return World(
        catalogue=catalogue,
        counters=ItemCounters.build(counts, catalogue.index, weights, NOW_MS),
        text_index=TextIndex.build(items),
        models=ModelSet.build(loaded, catalogue),
        classes=classes,
    )


def view_of(world: World, n_views: int, rng: np.random.Generator) -> Callable[[], PersonView]:
    """A person with a history; the returned call reads their view as a decision does."""
    settings = FoldSettings(classes=world.classes, facets=tuple(FACETS), numeric_facets=NUMBERS)
    profile, purposes = Profile(), Purposes()
    for n in range(n_views):
        item_id = world.catalogue.item_ids[int(len(world.catalogue) * rng.random() ** 3)]
        time_ms = NOW_MS - (n_views - n) * 3_600_000
        signal = Signal("product_viewed", "view" if n % 4 else "purchase", 1.0, item_id)
        fold(
            profile,
            Observation(
                time_ms=time_ms,
                received_ms=time_ms,
                message_id=str(n),
                signals=(signal,),
                facets={item_id: world.catalogue.facets_of(item_id)},
            ),
            settings,
        )
    profile.identities = {"user_id": {"u": 0}}

    def read() -> PersonView:
        view = ProfileView(profile, settings, NOW_MS, purposes=purposes.all)
        return PersonView.of(view, 1, purposes.everything, purposes)

    return read


def learned(world: World, names: Sequence[str], rng: np.random.Generator) -> World:
    """The same world with learned weights and click rates for `home`, and 80 trees of depth 5 on top."""
    n_trees, n_nodes = 80, 31
    forest = Forest(
        names=tuple(names),
        features=rng.integers(0, len(names), (n_trees, n_nodes)),
        thresholds=rng.random((n_trees, n_nodes)),
        leaves=rng.normal(size=(n_trees, n_nodes + 1)),
        covers=np.ones((n_trees, n_nodes + 1)),
    )
    weights = Weights(learned={**dict.fromkeys(names, 0.5), TREES: 0.1}, version=1, forest=forest)
    rates = rng.uniform(-1, 1, len(world.catalogue))
    return replace(world, learned={"home": weights}, click_rates={"home": rates})


def timed(call: Callable[[], object], rounds: int) -> tuple[float, float]:
    """(median, 99th percentile) in milliseconds, after a warm-up."""
    for _ in range(10):
        call()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        call()
        taken.append((time.perf_counter_ns() - start) / 1e6)
    return float(np.median(taken)), float(np.quantile(taken, 0.99))


def main() -> None:
    """Runs the benchmark: a table on stderr, one JSON document on stdout."""
    args = options(
        __doc__,
        items=(10_000, 1_000, "items"),
        people=(5_000, 300, "people that the models learn from"),
        views=(100, 40, "events in the person's history"),
        rounds=(300, 30, "calls of each kind"),
    )
    rng = np.random.default_rng(1)
    world = world_of(args.items, args.people, rng)
    read = view_of(world, args.views, rng)
    person, home = read(), DecideRequest(placement="home")
    filtered = DecideRequest(placement="home", filter="price < 500 AND category <> 'category1'")
    word = world.catalogue.items[0].title.split()[0]
    explained = DecideRequest(placement="home", explain=True)
    situation = Situation.of(Occasion(home, person, world, NOW_MS), world.placement("home"))
    candidates = gather(situation)
    matrix = compute(situation, candidates.rows)
    values, weights = matrix.values, rng.random(len(matrix.names))

    tree_world = learned(world, matrix.names, rng)
    bare = replace(tree_world.learned["home"], forest=None)
    linear_world = replace(tree_world, learned={"home": bare})
    crosses = {"crosses": ["daypart * category", "device * price_percentile"]}
    crossed_world = replace(linear_world, placements=placements_from({"home": crosses}))
    evening = DecideRequest(placement="home", context=Context(device="mobile", local_hour=20))

    def floor() -> object:
        terms = values * weights
        scores = terms.sum(axis=1)
        return np.argsort(-scores)[:10]

    calls: dict[str, Callable[[], object]] = {
        "floor: multiply, sum, ten best": floor,
        "read the person": read,
        "home": lambda: decide(Occasion(home, person, world, NOW_MS, "d")),
        "home, all reasons": lambda: decide(Occasion(explained, person, world, NOW_MS, "d")),
        "home, learned weights": lambda: decide(Occasion(home, person, linear_world, NOW_MS, "d")),
        "home, trees": lambda: decide(Occasion(home, person, tree_world, NOW_MS, "d")),
        "home, two crosses": lambda: decide(Occasion(evening, person, crossed_world, NOW_MS, "d")),
        "home with a filter": lambda: decide(Occasion(filtered, person, world, NOW_MS, "d")),
        "home, person unknown": lambda: decide(Occasion(home, None, world, NOW_MS, "d")),
        "similar": lambda: decide(Occasion(DecideRequest(placement="similar", item="p7"), person, world, NOW_MS, "d")),
        "search": lambda: decide(Occasion(DecideRequest(placement="search", query=word), person, world, NOW_MS, "d")),
        "fallback": lambda: fallback(Occasion(home, None, world, NOW_MS, "d")),
    }
    calm_collector()
    measured = {name: timed(call, args.rounds) for name, call in calls.items()}
    base = measured["floor: multiply, sum, ten best"][0]
    shape = {"items": args.items, "candidates": len(candidates), "features": len(matrix.names), "models": 8}
    tell(", ".join(f"{n} {name}" for name, n in shape.items()))
    tell(f"{'':32}{'p50 ms':>9}{'p99 ms':>9}{'x floor':>9}")
    for name, (p50, p99) in measured.items():
        tell(f"{name:32}{p50:9.3f}{p99:9.3f}{p50 / base:9.1f}")
    rows = {n: {"p50_ms": p50, "p99_ms": p99, "ratio": p50 / base} for n, (p50, p99) in measured.items()}
    emit({**shape, "measured": rows})


if __name__ == "__main__":
    main()
