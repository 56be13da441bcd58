import bespeak.learn.choosing.spaces as spaces_of_data
from bespeak.learn.choosing.spaces import default_spaces, missing
from bespeak.learn.choosing.tuning import Space, tune
from bespeak.models import Ease, Interactions, ItemContent, ItemNeighbours, Popularity
from bespeak.models.sequences.transformer import Transformer


def judged_by(figures: dict[float, float], asked: list[float]):
    def judge(model):
        asked.append(model.l2)
        return model, figures[model.l2]

    return judge


def test_settings_are_walked_along_as_long_as_they_improve() -> None:
    asked: list[float] = []
    judge = judged_by({50.0: 0.1, 150.0: 0.2, 500.0: 0.3, 1500.0: 0.25}, asked)
    space = Space(Ease(l2=150.0), {"l2": (50.0, 150.0, 500.0, 1500.0)})
    ((model, figure),) = tune([space], judge, lambda pair: pair[1], n_trials=8)
    assert (model.l2, figure) == (500.0, 0.3)
    assert asked == [150.0, 500.0, 1500.0]  # it got better upwards, so nothing is tried below


def test_trials_are_counted_and_time_is_a_cap() -> None:
    figures = {50.0: 0.1, 150.0: 0.2, 500.0: 0.3, 1500.0: 0.4}
    space = Space(Ease(l2=50.0), {"l2": (50.0, 150.0, 500.0, 1500.0)})
    for n_trials, late, best in ((2, False, 500.0), (0, False, 50.0), (8, True, 50.0)):
        judge = judged_by(figures, [])
        ((model, _),) = tune([space], judge, lambda pair: pair[1], n_trials=n_trials, is_late=lambda late=late: late)
        assert model.l2 == best


def test_a_family_far_behind_is_not_tuned() -> None:
    tried: list[str] = []

    def judge(model):
        tried.append(f"{model.name} {model.settings().get('l2', model.settings().get('shrinkage'))}")
        return 0.5 if model.name == "ease" else 0.1

    spaces = [
        Space(Ease(l2=50.0), {"l2": (50.0, 150.0)}),
        Space(ItemNeighbours(shrinkage=10.0), {"shrinkage": (10.0, 100.0)}),
        Space(Popularity()),
    ]
    tune(spaces, judge, lambda figure: figure, n_trials=8)
    assert tried == ["ease 50.0", "item_neighbours 10.0", "popularity None", "ease 150.0"]


def test_every_family_starts_on_its_axes_and_none_that_is_served_holds_people() -> None:
    data = Interactions.from_events(["a", "b"] * 30_000, ["x", "y"] * 30_000, times_ms=range(60_000))
    content = ItemContent(["x", "y"], texts=["one", "two"])
    for asked in ("served", "returning", "everybody", "strangers"):
        for allows_seen in (False, True):
            spaces = default_spaces(data, content, asked=asked, allows_seen=allows_seen)  # checks the axes
            held = {space.start.name for space in spaces if space.start.holds_people}
            assert held == ({"tifu_knn"} if allows_seen else set())
            assert not any(space.start.holds_people and space.is_source for space in spaces)
    names = {space.start.name for space in default_spaces(data, content)}
    assert {"sequence_rules", "slist", "session_links", "recent_popularity", "content"} <= names


def test_what_an_extra_would_add_is_said_when_it_is_not_installed(monkeypatch) -> None:
    data = Interactions.from_events(["a", "b"] * 30_000, ["x", "y"] * 30_000, times_ms=range(60_000))
    for is_there in (False, True):
        monkeypatch.setattr(Transformer, "can_fit", staticmethod(lambda is_there=is_there: is_there))
        tried = "transformer" in {space.start.name for space in default_spaces(data, None)}
        said = missing(data)
        assert (tried, bool(said)) == (is_there, not is_there)
    monkeypatch.setattr(Transformer, "can_fit", staticmethod(lambda: False))
    assert "bespeak[deep]" in missing(data)[0]
    assert missing(data, asked="strangers") == []
    assert missing(Interactions.from_events(["a"], ["x"])) == []


def test_what_takes_too_long_is_left_out_and_said_so(monkeypatch) -> None:
    data, content = Interactions.from_events(["a"], ["x"]), ItemContent(["x"], attributes={"kind": [["one"]]})
    for most, is_tried in ((2, True), (1, False)):
        monkeypatch.setattr(spaces_of_data, "_FACTORS_MAX_ROWS", most)
        tried = "attribute_factors" in {space.start.name for space in default_spaces(data, content)}
        said = [sentence for sentence in missing(data, content) if "factors with attributes take too long" in sentence]
        assert (tried, bool(said)) == (is_tried, not is_tried)
    assert missing(data) == []
