"""Every kind of wrong setting is refused with file, key, value and what is allowed; nothing half-applies."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespeak.engine.checks import FAIL, PASS, catalogue
from bespeak.engine.config import parse_config, read_file
from bespeak.engine.project import ProjectFolder, create, render
from bespeak.errors import ConfigError, InvalidInput
from bespeak.storage.tables import records
from bespeak.web.tokens import make_token_key

DIGEST = "0" * 64

WRONG = {
    "a number as text": ('[serve]\nport = "80"', "serve.port", ["a whole number, not text", "'80'"]),
    "a number out of bounds": ("[serve]\nport = 70000", "serve.port", ["65535", "70000"]),
    "a number whose digits stand in the bound": ("[serve]\nport = -5", "serve.port", ["(it is -5)"]),
    "a word that is not allowed": ('[project]\nnow = "later"', "project.now", ["later", "clock, data"]),
    "a section that does not exist": ("[project2]", "project2", ["project", "storage"]),
    "a setting that does not exist": ("[project]\nnmae = 1", "project.nmae", ["name", "seed"]),
    "an unknown setting of a source": (
        '[sources.a]\nkind = "import"\n[sources.b]\nkind = "import"\ncolour = 1',
        "sources.b.colour",
        ["kind", "consent"],
    ),
    "a wrong kind of source": (
        '[sources.a]\nkind = "import"\n[sources.b]\nkind = "x"',
        "sources.b.kind",
        ["'x'", "browser, server"],
    ),
    "a source without a kind": ("[sources.a]\n", "sources.a", ["kind"]),
    "a browser source without a key": ('[sources.a]\nkind = "browser"', "sources.a.key", ["write key"]),
    "a server source's key in clear": (
        f'[sources.a]\nkind = "server"\nkey = "x"\nkey_sha256 = "{DIGEST}"',
        "sources.a.key",
        ["key_sha256"],
    ),
    "a purpose of a source": (
        '[sources.a]\nkind = "import"\nconsent = ["sell"]',
        "sources.a.consent",
        ["sell", "personalize"],
    ),
    "a list with something else": ('[profiles]\nfacets = ["a", 1]', "profiles.facets.1", ["text", "(it is 1)"]),
    "a category that means no purpose": ('[consent.categories]\nAds = ["sell"]', "", ["sell", "share"]),
    "a category that is no list": ("[consent.categories]\nAds = 1", "consent.categories.Ads", ["a list", "(it is 1)"]),
    "a purpose twice": ('[consent]\npurposes = ["share"]', "consent.purposes", ["unique"]),
    "a placement's unknown setting": ("[placements.home]\nsise = 3", "placements.home", ["sise", "count"]),
    "a segment's rule": ("[segments]\nloyal = \"orders >\"", "segments.loyal", []),
    "a segment's unknown column": ("[segments]\nloyal = \"ordrs > 1\"", "segments.loyal", ["ordrs", "orders"]),
    "a segment that is no text": ("[segments]\nloyal = 1", "segments.loyal", ["(it is 1)"]),
    "a signal class's unknown setting": ("[signals.classes.view]\nhalflife = 3", "", ["halflife"]),
    "an interval": ('[train]\nevery = "soon"', "train.every", ["'soon'"]),
    "a token key": ('[tokens]\npublic_key = "abc"', "tokens.public_key", ["32 bytes"]),
    "one key for two": (
        f'[keys.a]\nsha256 = "{DIGEST}"\n[keys.b]\nsha256 = "{DIGEST}"',
        "keys.b.sha256",
        ["keys.a.sha256"],
    ),
    "an interval is explained": ('[train]\nevery=6', "train.every", ["text, not a whole number", "(it is 6)", '"6h"']),
    "a setting with a typing error": ('[project]\nnmae = "x"', "project.nmae", ["Did you mean 'name'?"]),
    "a section twice": ("[segments]\n[segments]\n", "", ["the section [segments] stands a second time in line 2"]),
    "a section of a placement twice": ("[a.b]\n[a.b]\n", "", ["[a.b] stands a second time"]),
    "a placement's number as text": (
        '[placements.home]\ncount = "ten"',
        "placements.home.count",
        ["must be a whole number, not text"],
    ),
    "something that is no TOML": ("[project\nname = 1", "", ["TOML", "line 1"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_refused_by_file_and_key_and_says_what_is_allowed(case):
    text, key, words = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    said = str(caught.value)
    assert said.startswith("bespeak.toml: ")
    assert caught.value.file == "bespeak.toml"
    if key:
        assert key in said
    assert not [word for word in words if word not in said], said


def test_a_key_in_the_place_of_its_hash_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        parse_config('[keys.admin]\nsha256 = "sk_very_secret"')
    assert "keys.admin.sha256" in str(caught.value)
    assert "sk_very_secret" not in str(caught.value)


def test_an_empty_file_means_the_defaults():
    config = parse_config("")
    assert config.settings.serve.port == 8787
    assert {"home", "search", "similar", "recently_viewed"} <= set(config.placements)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_file_is_read_with_and_without_a_mark_at_its_beginning(tmp_path, start):
    path = tmp_path / "bespeak.toml"
    path.write_bytes(start + b'[project]\nname = "caf\xc3\xa9"\n')
    assert parse_config(read_file(path)).settings.project.name == "café"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "bespeak.toml"
    with pytest.raises(ConfigError, match=r"bespeak\.toml: there is no such file"):
        read_file(path)
    path.write_bytes(b'[project]\nname = "\xff"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_file(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_file(path)


def test_line_ends_and_blank_ends_make_no_difference():
    assert parse_config("[project]\n").digest() == parse_config("\r\n[project]\r\n\r\n").digest()


# -- writing -----------------------------------------------------------------------------------------------------------
TEXT = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20)


@given(
    name=TEXT,
    source=TEXT,
    hosts=st.lists(TEXT, max_size=3),
    categories=st.dictionaries(TEXT.filter(lambda t: t not in {"share", "measure"}), st.just(["share"]), max_size=3),
    key=TEXT,
)
def test_a_written_file_reads_back_as_what_was_given(name, source, hosts, categories, key):
    text = render(
        {
            "project": {"name": name, "seed": -7},
            "sources": {source: {"kind": "browser", "key": key, "consent": ["essential"], "hosts": hosts}},
            "consent": {"categories": categories},
            "profiles": {"facets": hosts},
            "placements": {"home": {"count": 3, "weights": {"affinity.category": 1.5}}},
        }
    )
    data = tomllib.loads(text)
    assert data["project"] == {"name": name, "seed": -7}
    assert data["sources"] == {source: {"kind": "browser", "key": key, "consent": ["essential"], "hosts": hosts}}
    assert data["consent"]["categories"] == categories
    assert data["profiles"]["facets"] == hosts
    assert data["placements"]["home"]["weights"] == {"affinity.category": 1.5}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('[placements.home]\nfilter = "price <"', "placements.home.filter", "at position 7"),
        ("[placements.own]\nfilter = \"price < 'x'\"", "placements.own.filter", "cannot be compared"),
        (
            '[placements.own]\npins = [{ position = 2, filter = "price <" }]',
            "placements.own.pins[0].filter",
            "at position 7",
        ),
        ('[segments]\nkeen = "orders_90d >="', "segments.keen", "at position"),
        ('[segments]\nkeen = "oders_90d >= 2"', "segments.keen", "orders_90d"),
    ],
)
def test_a_wrong_rule_is_refused_when_the_file_is_read(text, where, what):
    with pytest.raises(ConfigError) as refused:
        parse_config(text)
    assert refused.value.key == where
    assert refused.value.message.startswith(f"bespeak.toml: {where}: ")
    assert what in f"{refused.value.message} {refused.value.hint}"


def test_a_filter_may_name_an_attribute_that_items_will_have():
    assert parse_config('[placements.home]\nfilter = "watts > 5"').placements["home"].filter == "watts > 5"


def test_a_column_that_no_item_has_is_refused_when_it_is_applied_and_named_by_doctor_when_it_goes(engine):
    engine.track([{"type": "track", "event": "Product Viewed", "userId": "u", "properties": {"product_id": "p9"}}])
    path = engine.core.folder.config_path
    path.write_text(path.read_text() + '\n[placements.bright]\nfilter = "watts > 5"\n')
    engine.core.apply()  # nobody has written an item yet
    assert catalogue.filters(engine.core).status == PASS
    engine.items.put([{"id": "p1", "title": "Lamp", "attributes": {"colour": "red"}}])
    found = catalogue.filters(engine.core)
    assert (found.status, "placements.bright.filter" in found.message) == (FAIL, True)
    path.write_text(path.read_text() + "count = 4\n")
    with pytest.raises(ConfigError, match=r"placements\.bright\.filter: .*watts"):
        engine.core.apply()
    assert engine.core.config.placements["bright"].count == 10
    engine.items.patch({"p1": {"attributes": {"watts": 9}}})
    engine.core.apply()
    assert catalogue.filters(engine.core).status == PASS


def test_the_written_defaults_are_the_defaults():
    commented = [line for line in render({}).splitlines() if line.startswith("# ") and " = " in line]
    plain = "\n".join(
        line.removeprefix("# ") if line in commented and not line.startswith("# loyal") else line
        for line in render({}).splitlines()
    )
    settings = [line for line in plain.splitlines() if not line.startswith("#")]
    kept = [line for line in settings if line.startswith("[") or _is_assignment(line)]
    kept = [line for line in kept if not line.startswith("half_life_days")]
    assert parse_config("\n".join(kept)).settings == parse_config("").settings


def _is_assignment(line: str) -> bool:
    try:
        tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return False
    return True


def test_a_new_project_starts_with_browsers_denied_and_shows_no_secret_in_the_file(tmp_path):
    keys = create(tmp_path / "shop", token_key=make_token_key())
    text = read_file(ProjectFolder(tmp_path / "shop").config_path)
    config = parse_config(text)
    assert config.settings.sources["web"].consent == ["essential"]
    assert {"personalize", "improve"} <= set(config.settings.sources["backend"].consent)
    for secret in (keys.server_key, keys.secret_key, keys.token_private_key):
        assert secret not in text
    assert (tmp_path / "shop" / "keys").stat().st_mode & 0o077 == 0
    with pytest.raises(InvalidInput, match="holds a project already"):
        create(tmp_path / "shop", token_key=make_token_key())


# -- applying ----------------------------------------------------------------------------------------------------------
def rewrite(engine, change: Any) -> None:
    path = engine.core.folder.config_path
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda text: text.replace("[placements.home]", "[placements.home]\ncount = 0"),
        lambda text: text.replace("[context]", '[context]\ngeoip = "not-there.mmdb"'),
        lambda text: text.replace("[consent]", '[consent]\npurposes = ["other"]'),
        lambda text: text + "[",
    ],
    ids=["a placement", "a file that is not there", "purposes in another order", "no TOML"],
)
def test_a_wrong_file_changes_nothing(make, wrong):
    engine = make({"consent": {"purposes": ["ads"]}})
    before = engine.core.runtime.config_version
    rewrite(engine, lambda text: text.replace('purposes = ["ads"]', ""))
    rewrite(engine, wrong)
    with pytest.raises(ConfigError):
        engine.core.apply()
    assert engine.core.runtime.config_version == before
    again = type(engine).open
    engine.core.folder.config_path.write_text(engine.core.config.text)
    with again(engine.core.folder.root, clock=engine.core.clock) as other:
        assert other.core.runtime.config_version == before


def test_purposes_may_be_appended(make):
    engine = make({"consent": {"purposes": ["ads"]}})
    rewrite(engine, lambda text: text.replace('["ads"]', '["ads", "research"]'))
    engine.core.apply()
    assert engine.core.config.purposes.all[-2:] == ("ads", "research")


def test_another_process_takes_over_what_was_applied(make, clock):
    first, second = make(), make()
    rewrite(first, lambda text: text.replace("[placements.home]", "[placements.home]\ncount = 3\n[placements.new]"))
    assert not first.core.is_file_different()
    version = first.core.apply()
    clock.advance(1000)
    second.core.refresh_when_due()
    assert second.core.runtime.config_version == version
    assert second.core.is_file_different()
    assert "new" in second.core.config.placements


def test_a_policy_gets_a_new_number_only_when_its_own_settings_change(make):
    engine = make()
    assert engine.core.world.policy("home") == "home@1"
    rewrite(engine, lambda text: text.replace("[placements.home]", "[placements.home]\ncount = 3"))
    engine.core.apply()
    assert (engine.core.world.policy("home"), engine.core.world.policy("search")) == ("home@2", "search@1")
    engine.core.apply()
    assert engine.core.world.policy("home") == "home@2"


def test_a_configuration_that_only_a_newer_release_understands_leaves_this_process_working(make, clock, caplog):
    first, second = make(), make()
    with first.core.store.write() as tx:
        records.add_config(tx, clock.now_ms(), "newer", "x", "[invented]\n")
    first.items.put([{"id": "p1", "title": "x"}])
    clock.advance(1000)
    assert second.decide("home").item_ids == ["p1"]
    assert second.core.runtime.config_version == 1
    assert "configuration 2" in caplog.text


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ('[predictions.churn]\nkind = "leaving"', "predictions.churn.kind"),
        ('[predictions."Churn Risk"]\nkind = "churn"', "is no name"),
        ('[predictions.buys]\nkind = "propensity"\nof = "purchas"', "Did you mean 'purchase'"),
        ('[predictions.value]\nkind = "lifetime_value"\nof = "purchase"', "orders are meant"),
        ('[predictions.churn]\nkind = "churn"\nwithin_days = 0', "predictions.churn.within_days"),
        ('[segments]\nleaving = "prediction.churn > 0.5"', "segments.leaving"),
    ],
)
def test_a_prediction_that_cannot_be_is_refused_where_it_stands(asked, message):
    with pytest.raises(ConfigError) as raised:
        parse_config(asked)
    assert message in str(raised.value)


def test_a_file_that_was_emptied_is_not_applied(engine):
    engine.core.folder.config_path.write_text("# nothing\n")
    with pytest.raises(ConfigError, match=r"sets nothing.*config pull"):
        engine.core.apply()
    assert engine.core.config.settings.sources
