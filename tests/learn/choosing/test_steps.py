import pytest

from bespeak.learn.choosing.steps import Steps, seconds_left


class Hand:
    """A stopwatch that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def watched() -> tuple[Steps, Hand, list[float]]:
    hand, shares = Hand(), []
    return Steps(lambda stage, share: shares.append(share), hand), hand, shares


def test_a_step_that_takes_ten_times_as_long_counts_ten_times_as_much() -> None:
    steps, hand, shares = watched()
    steps.plan([{"fast": 100.0, "slow": 100.0}, {"fast": 100.0, "slow": 100.0}])
    steps.phase({"fast": 100.0, "slow": 100.0})
    for kind, seconds in (("fast", 1.0), ("slow", 10.0)):
        with steps.step(kind, kind, 100.0):
            hand.seconds += seconds
    steps.tell("half")
    assert shares == [0.0, pytest.approx(1 / 4), pytest.approx(1 / 2)]  # at a quarter all kinds seem alike


def test_passes_tell_the_pace_of_the_step_that_runs() -> None:
    steps, hand, shares = watched()
    steps.plan([{"slow": 100.0}])
    steps.phase({"slow": 100.0})
    with steps.step("slow", "slow", 100.0):
        hand.seconds = 30.0
        steps.inside(0.25)
    assert shares[-1] == pytest.approx(0.25)
    assert seconds_left(30.0, shares[-1]) == pytest.approx(90.0)


def test_the_share_waits_where_a_step_takes_longer_than_expected_and_never_goes_back() -> None:
    steps, hand, shares = watched()
    steps.plan([{"a": 200.0}, {"b": 100.0}])
    steps.phase({"a": 200.0})
    for seconds in (1.0, 50.0):
        with steps.step("a", "a", 100.0):
            hand.seconds += seconds
    steps.phase({"b": 100.0})
    steps.tell("b")
    assert shares == sorted(shares)


def test_what_is_not_done_is_not_waited_for() -> None:
    steps, hand, shares = watched()
    steps.plan([{"a": 300.0}])
    steps.phase({"a": 300.0})
    with steps.step("a", "a", 100.0):
        hand.seconds += 5.0
    steps.skip("a", 100.0)
    steps.tell("next")
    assert shares[-1] == pytest.approx(1 / 2)


def test_before_anything_is_known_nothing_is_claimed() -> None:
    assert seconds_left(100.0, 0.001) is None
    steps, _, shares = watched()
    steps.plan([{"a": 1.0}])
    steps.phase({"a": 1.0})
    with steps.step("a", "a", 1.0):
        pass
    assert shares == [0.0]
