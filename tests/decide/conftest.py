"""A small world with real models, and people made by the real fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from bespeak.catalogue.counters import DAY_MS, ItemCounters
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.catalogue.text_index import TextIndex
from bespeak.decide.person import PersonView
from bespeak.decide.serving.model_set import LoadedModel, ModelSet
from bespeak.decide.world import World
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.content import Content
from bespeak.models.item_weights.ease import Ease
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.profiles.fold import fold
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import FoldSettings
from bespeak.profiles.view import ProfileView
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.items import Item, Market
from bespeak.signals.purposes import Purposes
from bespeak.signals.signal import Signal

NOW_MS = 20_000 * DAY_MS
GENRES = ("horror", "comedy", "drama", "war")
CLASSES = SignalCatalogue.built_in().classes
FACETS = ("genre", "brand")
NUMBERS = ("price",)

Step = tuple[str, str, float]  # item id, class, hours before now


def make_items(n: int = 40) -> list[Item]:
    """Items in four genres (10 each when n is 40), two per group, with prices from 1.00 up."""
    return [
        Item(
            id=f"{GENRES[i % 4]}{i // 4}",
            title=f"{GENRES[i % 4].title()} film {i // 4}",
            group=f"g{i // 8}-{i % 4}",
            attributes={"genre": [GENRES[i % 4]], "brand": f"b{i % 3}", "mood": "calm" if i % 2 else "wild"},
            markets={"default": Market(price=100 * (i + 1), currency="EUR")},
            published_at=NOW_MS - i * DAY_MS,
        )
        for i in range(n)
    ]


def make_models(catalogue: CatalogueSnapshot) -> list[LoadedModel]:
    """Models of 40 people who each keep to one genre; the first items of a genre are liked most."""
    users, items = [], []
    for person in range(40):
        for place in range(3 + person % 6):
            users.append(f"u{person}")
            items.append(f"{GENRES[person % 4]}{place}")
    data = Interactions.from_events(users, items, item_ids=catalogue.item_ids)
    content = ItemContent(
        catalogue.item_ids,
        texts=[item.title for item in catalogue.items],
        attributes={"genre": [list(catalogue.facets["genre"].values_at(i)) for i in range(len(catalogue))]},
    )
    models: list[Model] = [Ease(l2=10.0), ItemNeighbours(), Content(), Popularity()]
    return [LoadedModel.of(model.fit(data, content), 1, is_best=model.name == "ease") for model in models]


def make_world(items: Iterable[Item] | None = None, *, has_models: bool = True, **changes: Any) -> World:
    """A world of `make_items`; comedy and drama were viewed most this week."""
    catalogue = CatalogueSnapshot.build(make_items() if items is None else items, FACETS, NUMBERS, version=3)
    today = NOW_MS // DAY_MS
    counts = [(i, "view", today, 20.0 - p) for p, i in enumerate(catalogue.item_ids) if i[0] in "cd"]
    weights = {name: signal_class.prior_weight for name, signal_class in CLASSES.items()}
    settings: dict[str, Any] = {
        "catalogue": catalogue,
        "counters": ItemCounters.build(counts, catalogue.index, weights, NOW_MS),
        "text_index": TextIndex.build(catalogue.items),
        "models": ModelSet.build(make_models(catalogue) if has_models else [], catalogue),
        "classes": CLASSES,
        "config_version": 2,
    }
    return World(**{**settings, **changes})


def make_person(
    world: World, steps: Sequence[Step], *, person: int = 7, granted: Sequence[str] | None = None, is_user: bool = True
) -> PersonView:
    """A person who took these steps."""
    settings = FoldSettings(classes=CLASSES, facets=FACETS, numeric_facets=NUMBERS)
    profile, purposes = Profile(), Purposes()
    for n, (item_id, signal_class, hours) in enumerate(sorted(steps, key=lambda step: -step[2])):
        time_ms = NOW_MS - int(hours * 3_600_000)
        signal = Signal(signal_class, signal_class, 1.0, item_id)
        observation = Observation(
            time_ms=time_ms,
            received_ms=time_ms,
            message_id=f"m{n}",
            signals=(signal,),
            facets={item_id: world.catalogue.facets_of(item_id)},
        )
        fold(profile, observation, settings)
    if is_user:
        profile.identities = {"user_id": {"u": 0}}
    names = purposes.all if granted is None else granted
    view = ProfileView(profile, settings, NOW_MS, purposes=names)
    return PersonView.of(view, person, purposes.mask(names), purposes)


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
def build_world() -> Callable[..., World]:
    return make_world


@pytest.fixture(scope="session")
def build_items() -> Callable[[int], list[Item]]:
    return make_items


@pytest.fixture(scope="session")
def person(world: World) -> Callable[..., PersonView]:
    def of(*steps: Step, **options: Any) -> PersonView:
        return make_person(world, steps, **options)

    return of


@pytest.fixture(scope="session")
def now_ms() -> int:
    return NOW_MS
