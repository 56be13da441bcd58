"""What was bought together."""

from __future__ import annotations

import numpy as np

from bespeak.models.interactions import Interactions
from bespeak.models.neighbours.bought_together import bought_together


def log(n_people: int, *, has_views: bool = True) -> Interactions:
    """Everybody views two phones, buys one of them and its case."""
    rows = []
    for person in range(n_people):
        phone = f"phone{person % 2}"
        if has_views:
            rows += [(person, "phone0", 0), (person, "phone1", 0)]
        rows += [(person, phone, 1), (person, phone.replace("phone", "case"), 1)]
    users = [f"u{person}" for person, _, _ in rows]
    items = sorted({item for _, item, _ in rows})
    return Interactions.from_arrays(
        sorted(set(users)),
        items,
        np.array([sorted(set(users)).index(user) for user in users]),
        np.array([items.index(item) for _, item, _ in rows]),
        class_index=np.array([kind for _, _, kind in rows]),
        class_names=("view", "purchase"),
    )


def test_a_case_goes_with_the_phone_and_the_other_phone_does_not() -> None:
    model = bought_together(log(60))
    assert model is not None
    found, _ = model.similar([model.item_ids.index("phone0")], 3)
    assert [model.item_ids[item] for item in found[0].tolist() if item >= 0] == ["case0"]


def test_few_purchases_and_nothing_but_purchases_give_none() -> None:
    assert bought_together(log(20)) is None
    assert bought_together(log(60, has_views=False)) is None
