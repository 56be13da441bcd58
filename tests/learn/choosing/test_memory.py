import pytest

from bespeak.errors import InvalidInput
from bespeak.learn.choosing.memory import lists_bytes, log_bytes, require, within
from bespeak.learn.choosing.tuning import Space
from bespeak.learn.train import train
from bespeak.models import Ease, Interactions, ItemNeighbours, Popularity, RecentPopularity, SparseInverse

WIDE = Interactions.from_events(["a"], ["0"], item_ids=[str(item) for item in range(5_000)])


def test_what_takes_most_is_left_out_until_the_rest_fits() -> None:
    spaces = [Space(Popularity()), Space(Ease()), Space(SparseInverse(), is_source=False)]
    free = within(spaces, WIDE, None)
    assert free.spaces == spaces
    tight = within(spaces, WIDE, free.needed_bytes - 1)
    assert [space.start.name for space in tight.spaces] == ["popularity", "sparse_inverse"]
    assert tight.sentences[1].endswith("; sparse inverse stands in.")
    assert tight.needed_bytes < free.needed_bytes - 1
    exact = within(spaces, WIDE, free.needed_bytes)
    assert exact.spaces == spaces


def test_models_that_are_kept_in_any_case_count_beside_the_one_that_is_fitted() -> None:
    alone = within([Space(Ease())], WIDE, None).needed_bytes
    both = within([Space(Ease()), Space(ItemNeighbours())], WIDE, None).needed_bytes
    kept = ItemNeighbours().fit_memory(WIDE.n_users, WIDE.n_items, len(WIDE)).kept_bytes
    assert both == pytest.approx(alone + kept + lists_bytes(WIDE, 1))
    assert within(
        [Space(Ease()), Space(ItemNeighbours(), is_source=False)], WIDE, None
    ).needed_bytes == alone + lists_bytes(WIDE, 1)


def test_a_family_with_two_starts_goes_whole() -> None:
    spaces = [Space(Popularity()), Space(Ease(l2=1.0)), Space(Ease(l2=2.0))]
    fitting = within(spaces, WIDE, 0.1e9)
    assert [space.start.name for space in fitting.spaces] == ["popularity"]
    assert len(fitting.sentences) == 2


def test_where_nothing_fits_the_error_says_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="the log and the smallest model") as caught:
        within([Space(Popularity()), Space(Ease())], WIDE, log_bytes(WIDE) / 2)
    assert "memory_limit_gb" in caught.value.hint


def test_a_named_model_that_does_not_fit_is_refused_and_another_is_named() -> None:
    assert require(Ease(), WIDE, 1e9) == "Fitting ease needs about 0.4 GB of memory."
    with pytest.raises(InvalidInput, match=r"'ease' needs about 0\.4 GB") as caught:
        require(Ease(), WIDE, 0.2e9)
    assert caught.value.hint == "Use sparse_inverse."


def test_training_says_first_what_it_needs_and_in_the_end_what_was_left_out(tasteful_log) -> None:
    wide = tasteful_log.with_items([f"new {item}" for item in range(5_000)])
    said: list[str] = []
    found = train(
        wide,
        candidates=[Popularity(), RecentPopularity(), Ease()],
        memory_limit_bytes=0.2e9,
        say=said.append,
        progress=lambda stage, share: said.append(stage),
    )
    assert said[0] == "Training needs about 0.1 GB of memory of the 0.2 GB that it may take."
    assert said[1].startswith("Left out: ease needs about 0.4 GB")
    assert said[1] in found.sentences()
    assert "ease" not in found.members
