"""Small logs with known structure."""

import numpy as np
import pytest

from bespeak.models import Interactions, ItemContent

HOUR_MS = 3_600_000
N_TASTES = 4


def make_log(n_users: int = 120, n_items: int = 60, seed: int = 9, own_share: float = 0.9) -> Interactions:
    """People of four tastes, 12 events each over 100 days; `own_share` of them within the items of their taste."""
    rng = np.random.default_rng(seed)
    users, items, times = [], [], []
    for user in range(n_users):
        own = np.arange(user % N_TASTES, n_items, N_TASTES)
        appeal = 1 / np.arange(1, len(own) + 1) ** 0.5
        chosen = rng.choice(own, 12, replace=False, p=appeal / appeal.sum())
        elsewhere = rng.random(12) > own_share
        chosen[elsewhere] = rng.integers(0, n_items, elsewhere.sum())
        users += [f"u{user:03}"] * 12
        items += [f"i{item:02}" for item in chosen]
        times += np.sort(rng.integers(0, 2400, 12)).tolist()
    return Interactions.from_events(users, items, times_ms=np.array(times) * HOUR_MS)


@pytest.fixture(scope="session")
def tasteful_log() -> Interactions:
    return make_log()


@pytest.fixture(scope="session")
def tastes(tasteful_log: Interactions) -> ItemContent:
    """The taste each item belongs to, as an attribute."""
    values = [[f"taste {int(item[1:]) % N_TASTES}"] for item in tasteful_log.item_ids]
    return ItemContent(tasteful_log.item_ids, attributes={"taste": values})
