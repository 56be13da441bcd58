"""The read path as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec
import pytest

from bespeak.decide.decide import NOT_PROFILED, SHORT_SLATE, UNKNOWN_PERSON, UNMET_PIN, decide, fallback
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.reply import reply
from bespeak.decide.request import DecideRequest, Listed
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.world import World
from bespeak.errors import RuleError, UnknownName
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Context
from bespeak.signals.items import Market
from bespeak.storage.tables.items import ItemChanges

People = Callable[..., PersonView]
THREE_VIEWS = (("horror7", "view", 0.2), ("horror8", "view", 0.1), ("horror9", "view", 0.05))


def genres(decision: Decision) -> list[str]:
    return [shown.item_id.rstrip("0123456789") for shown in decision.items]


def home(person: PersonView | None, world: World, now_ms: int, **request: object) -> Decision:
    return decide(Occasion(DecideRequest(placement="home", **request), person, world, now_ms, "d1"))  # type: ignore[arg-type]


def test_three_views_of_one_genre_move_the_very_next_slate(world: World, person: People, now_ms: int) -> None:
    before, after = home(None, world, now_ms), home(person(*THREE_VIEWS), world, now_ms)
    assert genres(after).count("horror") > genres(before).count("horror")
    assert not {"horror7", "horror8", "horror9"} & {shown.item_id for shown in after.items}
    texts = [reason.text for shown in after.items for reason in shown.reasons]
    assert "you viewed 3 items in horror just now" in texts


def test_a_rich_history_is_led_by_the_best_model(world: World, person: People, now_ms: int) -> None:
    rich = person(*((f"war{i}", "purchase", 24.0 * 20 + i) for i in range(5)))
    first = home(rich, world, now_ms).items[0]
    assert first.item_id.startswith("war")
    assert first.reasons[0].signal == "model.ease"
    assert first.reasons[0].text.startswith("because you bought War film")


def test_the_same_question_has_the_same_answer(world: World, person: People, now_ms: int) -> None:
    someone = person(*THREE_VIEWS)
    assert home(someone, world, now_ms) == home(someone, world, now_ms)


def test_a_person_about_whom_nothing_is_known_gets_what_is_popular_and_is_told_so(world: World, now_ms: int) -> None:
    decision = home(None, world, now_ms)
    assert decision.mode == "anonymous"
    assert UNKNOWN_PERSON in decision.notes
    assert len(decision.items) == 10
    assert {"comedy", "drama"} <= set(genres(decision)[:6])
    assert any(reason.text == "popular this week" for reason in decision.items[0].reasons)


def test_without_consent_two_people_get_the_same_bytes(world: World, person: People, now_ms: int) -> None:
    granted = ["essential"]
    first = person(*THREE_VIEWS, granted=granted, person=1)
    second = person(("comedy1", "purchase", 3.0), granted=granted, person=2, is_user=False)
    slates = [msgspec.json.encode(home(someone, world, now_ms)) for someone in (first, second)]
    assert slates[0] == slates[1]
    decision = home(first, world, now_ms)
    assert (decision.mode, decision.person) == ("non_profiled", None)
    assert NOT_PROFILED in decision.notes
    nobody = home(None, world, now_ms)
    assert [shown.item_id for shown in decision.items] == [shown.item_id for shown in nobody.items]


@pytest.mark.parametrize(
    ("history", "is_user", "mode"),
    [
        (THREE_VIEWS, True, "profiled"),
        (THREE_VIEWS, False, "profiled"),
        ((), True, "profiled"),
        ((), False, "anonymous"),
    ],
)
def test_whoever_has_a_history_is_profiled_and_a_device_without_one_is_anonymous(
    world: World, person: People, now_ms: int, history: tuple[tuple[str, str, float], ...], is_user: bool, mode: str
) -> None:
    decision = home(person(*history, is_user=is_user), world, now_ms)
    assert (decision.mode, decision.person) == (mode, 7)


def test_the_record_is_complete(world: World, person: People, now_ms: int) -> None:
    context = Context(device="mobile", page={"url": "https://x/?secret"}, consent={"personalize": True})
    decision = home(person(*THREE_VIEWS), world, now_ms, filter="price < 30", exclude=("comedy0",), context=context)
    assert (decision.policy, decision.config_version, decision.catalogue_version) == ("home@1", 2, 3)
    assert decision.models == {"ease": 1, "content": 1, "item_neighbours": 1, "popularity": 1}
    assert decision.filter == "price < 30"
    assert decision.removed["filter"] == 11
    assert decision.removed["excluded"] == 1
    assert decision.removed["seen"] >= 1
    assert decision.context == {"device": "mobile"}
    assert decision.n_candidates == len(decision.items) + len(decision.candidates)
    assert all(shown.propensity == 1.0 and shown.sources and shown.features for shown in decision.items)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=Decision) == decision


def test_reasons_are_the_exact_terms_of_the_score(world: World, person: People, now_ms: int) -> None:
    decision = home(person(*THREE_VIEWS, ("comedy2", "hide", 5.0)), world, now_ms, explain=True)
    for shown in decision.items:
        assert sum(reason.contribution for reason in shown.reasons) == pytest.approx(shown.score, abs=1e-12)
        assert all(reason.contribution == reason.value * reason.weight for reason in shown.reasons)
        sizes = [abs(reason.contribution) for reason in shown.reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert {reason.signal.split("=")[0] for reason in shown.reasons} == set(shown.features)
        assert all(reason.text for reason in shown.reasons)


def test_search_shows_only_matches_and_the_person_orders_them(world: World, person: People, now_ms: int) -> None:
    request = DecideRequest(placement="search", query="film")
    plain = decide(Occasion(request, None, world, now_ms, "d"))
    fan = person(*((f"war{i}", "purchase", 24.0 * 20 + i) for i in range(5)))
    personal = decide(Occasion(request, fan, world, now_ms, "d"))
    assert genres(personal).count("war") > genres(plain).count("war")
    only = decide(Occasion(DecideRequest(placement="search", query="horror", count=50), fan, world, now_ms, "d"))
    assert set(genres(only)) == {"horror"}
    assert any(reason.text == "matches your search" for reason in only.items[0].reasons)
    assert decide(Occasion(DecideRequest(placement="search", query="qqqqq"), fan, world, now_ms, "d")).items == ()


def test_similar_is_about_the_item_asked_or_the_latest_one(world: World, person: People, now_ms: int) -> None:
    asked = decide(Occasion(DecideRequest(placement="similar", item="war0"), None, world, now_ms, "d"))
    assert genres(asked)[0] == "war"
    assert "war0" not in {shown.item_id for shown in asked.items}
    latest = decide(Occasion(DecideRequest(placement="similar"), person(("drama1", "view", 1.0)), world, now_ms, "d"))
    assert genres(latest)[0] == "drama"
    nothing = decide(Occasion(DecideRequest(placement="similar", item="nobody"), None, world, now_ms, "d"))
    assert nothing.items
    assert any("not in the catalogue" in note for note in nothing.notes)


def test_a_callers_list_is_ranked_and_nothing_is_added(world: World, person: People, now_ms: int) -> None:
    listed = tuple(Listed(item_id) for item_id in ("comedy0", "war3", "nobody", "drama2", "war3"))
    fan = person(*((f"war{i}", "purchase", 24.0 * 20 + i) for i in range(3)))
    decision = home(fan, world, now_ms, items=listed)
    assert {shown.item_id for shown in decision.items} == {"comedy0", "war3", "drama2"}
    assert decision.items[0].item_id == "war3"
    assert decision.removed["unknown"] == 1
    relevant = (Listed("comedy0", 0.1), Listed("war5", 9.0), Listed("drama2", 0.2))
    assert home(None, world, now_ms, items=relevant).items[0].item_id == "war5"


def test_constraints_make_a_shorter_slate_rather_than_a_violation(world: World, person: People, now_ms: int) -> None:
    placements = placements_from({"row": {"caps": {"genre": 2}, "kinds": ["product"], "count": 20}})
    capped = dataclasses.replace(world, placements=placements)
    decision = decide(Occasion(DecideRequest(placement="row"), person(*THREE_VIEWS), capped, now_ms, "d"))
    assert all(genres(decision).count(genre) <= 2 for genre in set(genres(decision)))
    assert len(decision.items) == 8
    assert SHORT_SLATE in decision.notes
    assert decision.removed["cap.genre"] > 0
    assert decision.removed["group"] > 0


def test_a_cap_may_name_any_text_attribute(world: World, now_ms: int) -> None:
    capped = dataclasses.replace(world, placements=placements_from({"row": {"caps": {"mood": 1, "nothing": 1}}}))
    decision = decide(Occasion(DecideRequest(placement="row"), None, capped, now_ms, "d"))
    assert len(decision.items) == 2


def test_what_is_in_the_cart_stays_out_of_home(world: World, person: People, now_ms: int) -> None:
    decision = home(person(("comedy0", "cart", 1.0)), world, now_ms, count=40, explain=True)
    assert "comedy0" not in {shown.item_id for shown in decision.items}
    assert any("in your cart" in reason.text for shown in decision.items for reason in shown.reasons)


def test_a_declared_context_lifts_items_that_fit(world: World, now_ms: int) -> None:
    decision = home(None, world, now_ms, context=Context(declared={"mood": "calm", "weather": 3}))
    assert any(reason.text == "fits mood calm" for reason in decision.items[0].reasons)


def test_a_wrong_filter_of_a_request_is_refused_and_one_of_a_placement_lets_nothing_pass(
    world: World, now_ms: int
) -> None:
    with pytest.raises(RuleError, match="colour"):
        home(None, world, now_ms, filter="colour = 'red'")
    closed = dataclasses.replace(world, placements=placements_from({"home": {"filter": "colour = 'red'"}}))
    decision = home(None, closed, now_ms)
    assert decision.items == ()
    assert any("filter" in note for note in decision.notes)


def test_an_unknown_placement_is_refused_with_the_known_ones(world: World, now_ms: int) -> None:
    with pytest.raises(UnknownName, match="genres, home, new_for_you"):
        decide(Occasion(DecideRequest(placement="hom"), None, world, now_ms, "d"))


def test_an_unknown_market_is_refused_with_those_that_items_have(world: World, now_ms: int) -> None:
    for ask in (decide, fallback):
        with pytest.raises(UnknownName, match=r"no market 'att'\. Did you mean 'at'\? Known: at, default"):
            ask(Occasion(DecideRequest(placement="home", market="att"), None, with_market(world, "at"), now_ms, "d"))
    assert home(None, world, now_ms, market="default").items


def test_a_market_has_its_own_prices_and_other_items_those_of_the_default(world: World, now_ms: int) -> None:
    shown = home(None, with_market(world, "at"), now_ms, market="at", filter="price > 5000")
    assert [item.item_id for item in shown.items] == ["horror0"]


def with_market(world: World, market: str) -> World:
    """The world with one item that has a price of its own in a market."""
    dear = msgspec.structs.replace(world.catalogue.items[0], markets={market: Market(price=999_900, currency="EUR")})
    changes = ItemChanges(version=2, items=(dear,))
    return dataclasses.replace(world, catalogue=world.catalogue.updated(changes))


def test_a_world_without_models_items_or_counters_still_answers(
    build_world: Callable[..., World], person: People, now_ms: int
) -> None:
    bare = build_world(has_models=False)
    assert len(home(person(*THREE_VIEWS), bare, now_ms).items) == 10
    empty = build_world([], has_models=False)
    for placement in ("home", "similar", "search"):
        request = DecideRequest(placement=placement, query="x" if placement == "search" else "")
        assert decide(Occasion(request, person(*THREE_VIEWS), empty, now_ms, "d")).items == ()
    assert fallback(Occasion(DecideRequest(placement="home"), None, empty, now_ms, "d")).items == ()


def test_items_that_a_model_does_not_know_can_be_shown(
    build_world: Callable[..., World], build_items: Callable[[int], list[object]], world: World, now_ms: int
) -> None:
    with pytest.raises(ValueError, match="model ease"):  # models must be mapped to the catalogue they serve
        dataclasses.replace(build_world(build_items(20), has_models=False), models=world.models)
    larger = build_world(build_items(60), has_models=False)
    remapped = dataclasses.replace(
        larger, models=type(world.models).build([m.loaded for m in world.models.models], larger.catalogue)
    )
    assert len(home(None, remapped, now_ms, count=60, filter="price > 40").items) == 12  # one of each group


def test_the_fallback_needs_no_person_and_keeps_the_rules(world: World, now_ms: int) -> None:
    request = DecideRequest(placement="home", filter="price < 10", exclude=("comedy0",), count=3)
    decision = fallback(Occasion(request, None, world, now_ms, "d"), "The store is down.")
    assert (decision.mode, decision.person, len(decision.items)) == ("fallback", None, 3)
    assert "comedy0" not in {shown.item_id for shown in decision.items}
    assert "The store is down." in decision.notes
    with pytest.raises(UnknownName):
        fallback(Occasion(DecideRequest(placement="nowhere"), None, world, now_ms, "d"))


def test_a_reply_has_the_shape_of_the_api(world: World, person: People, now_ms: int) -> None:
    answer = reply(home(person(*THREE_VIEWS), world, now_ms), world.catalogue, "de")
    assert list(answer)[:4] == ["decisionId", "placement", "mode", "policy"]
    first = answer["items"][0]
    assert set(first) == {"id", "position", "score", "propensity", "properties", "reasons"}
    assert set(first["reasons"][0]) == {"signal", "value", "weight", "contribution", "text"}
    assert first["properties"]["currency"] == "EUR"
    assert len(first["reasons"]) == 3


def pinned(world: World, *pins: dict[str, object], **settings: object) -> World:
    return dataclasses.replace(world, placements=placements_from({"home": {**settings, "pins": list(pins)}}))


def test_a_pinned_item_stands_where_it_is_pinned_though_no_source_proposed_it(world: World, now_ms: int) -> None:
    few = [{"name": "popular", "limit": 5}]
    held = pinned(world, {"position": 2, "item": "war9"}, sources=few, count=4)
    decision = home(None, held, now_ms)
    assert [shown.item_id for shown in decision.items].index("war9") == 1
    assert (decision.items[1].sources, decision.items[1].propensity) == (("pinned",), 1.0)
    assert UNMET_PIN.format(2) not in decision.notes
    assert len(home(None, held, now_ms, count=1).items) == 1
    assert fallback(Occasion(DecideRequest(placement="home"), None, held, now_ms, "d")).items[1].item_id == "war9"


def test_a_pinned_filter_takes_the_best_that_passes(world: World, now_ms: int) -> None:
    held = pinned(world, {"position": 1, "filter": "genre = 'war'"}, {"position": 3, "filter": "genre = 'war'"})
    decision = home(None, held, now_ms)
    best = [shown.item_id for shown in home(None, world, now_ms, filter="genre = 'war'").items]
    assert [decision.items[0].item_id, decision.items[2].item_id] == best[:2]


def test_a_pin_breaks_no_other_rule_and_the_note_says_so(world: World, person: People, now_ms: int) -> None:
    held = pinned(world, {"position": 1, "item": "war9"}, {"position": 2, "item": "nowhere"})
    decision = home(person(("war9", "view", 1.0)), held, now_ms)
    assert "war9" not in {shown.item_id for shown in decision.items}
    assert len(decision.items) == 10
    assert {UNMET_PIN.format(1), UNMET_PIN.format(2)} <= set(decision.notes)
    assert "war9" not in {shown.item_id for shown in home(None, held, now_ms, exclude=("war9",)).items}


def test_pins_that_contradict_give_a_shorter_slate_and_no_error(world: World, now_ms: int) -> None:
    held = pinned(
        world,
        {"position": 1, "item": "war9"},
        {"position": 3, "item": "war7"},
        caps={"genre": 1},
        count=6,
    )
    decision = home(None, held, now_ms)
    assert genres(decision)[0] == "war"
    assert len(set(genres(decision))) == len(decision.items) == 4
    assert {SHORT_SLATE, UNMET_PIN.format(3)} <= set(decision.notes)


def test_a_pin_whose_column_no_item_has_any_more_fails_no_page(world: World, now_ms: int) -> None:
    held = pinned(world, {"position": 1, "filter": "no_such_column = 1"})
    assert len(home(None, held, now_ms).items) == 10


def test_diversity_spreads_a_slate_and_scores_stay_sums_of_their_terms(
    world: World, person: People, now_ms: int
) -> None:
    someone = person(*THREE_VIEWS)
    spread = dataclasses.replace(world, placements=placements_from({"home": {"diversity": 0.7}}))
    near, far = home(someone, world, now_ms, count=4), home(someone, spread, now_ms, count=4, explain=True)
    assert len(set(genres(far))) > len(set(genres(near)))
    assert far.items[0].item_id == near.items[0].item_id
    for shown in far.items:
        assert sum(reason.contribution for reason in shown.reasons) == pytest.approx(shown.score)


def test_of_items_that_are_equally_unlike_those_before_the_better_one_stands_first(world: World, now_ms: int) -> None:
    spread = dataclasses.replace(world, placements=placements_from({"home": {"diversity": 1.0, "facets": ["genre"]}}))
    shown = home(None, spread, now_ms, count=4).items
    plain = {item.item_id: item.score for item in home(None, world, now_ms, count=40).items}
    genre, brand = (world.catalogue.facets[name].values_at for name in ("genre", "brand"))

    def unlike(item_id: str) -> bool:
        rows = [world.catalogue.index[one] for one in (item_id, shown[0].item_id)]
        return not any(set(of(rows[0])) & set(of(rows[1])) for of in (genre, brand))

    assert shown[1].item_id == max((item for item in plain if unlike(item)), key=plain.__getitem__)


def test_relevance_of_any_size_is_scaled_and_an_entry_without_counts_least(world: World, now_ms: int) -> None:
    listed = (Listed("war5", 1e308), Listed("horror8", -1e308), Listed("drama7", 0.0), Listed("comedy9"))
    request = DecideRequest(placement="home", items=listed, explain=True)
    decision = decide(Occasion(request, None, world, now_ms, "d"))
    assert {item.item_id: item.features.get("listed", 0.0) for item in decision.items} == {
        "war5": 1.0, "horror8": 0.0, "drama7": 0.5, "comedy9": 0.0}  # fmt: skip


def test_an_engines_list_is_ordered_by_relevance_match_and_person_and_nothing_of_it_is_lost(
    world: World, person: People, now_ms: int
) -> None:
    fan = person(("horror1", "view", 1), ("horror2", "view", 2))
    relevance = {"war5": 1.0, "horror8": 0.95, "drama7": 0.5, "comedy9": 0.1}
    listed = tuple(Listed(item, value) for item, value in relevance.items())
    request = DecideRequest(placement="search", items=listed, query="zombie", explain=True)
    decision = decide(Occasion(request, fan, world, now_ms, "d"))
    assert {item.item_id for item in decision.items} == {"war5", "drama7", "horror8", "comedy9"}
    assert decision.items[0].item_id == "horror8"
    assert {reason.signal for reason in decision.items[0].reasons} >= {"listed", "affinity.genre=horror"}
    nobody = decide(Occasion(request, None, world, now_ms, "d"))
    assert nobody.items[0].item_id == "war5"  # the engine's own order leads where nothing is known of the person
