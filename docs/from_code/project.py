"""Pages on what a project declares: settings, placements, signals, rules, files."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, get_type_hints

import msgspec

from bespeak.catalogue import columns as item_columns
from bespeak.decide.rankers.score import PRIOR_WEIGHTS
from bespeak.decide.scoring import features, past_items
from bespeak.decide.settings import parts as placement_parts
from bespeak.decide.settings.checks import SOURCE_NAMES
from bespeak.decide.settings.pages import BUILT_IN_PAGES, Page, RowSettings
from bespeak.decide.settings.parts import Part
from bespeak.decide.settings.placements import BUILT_IN, Placement
from bespeak.decide.variants import when
from bespeak.decide.variants.settings import VariantSettings
from bespeak.engine.settings import ArmSettings, ExperimentSettings, KeySettings, PredictionSettings, Section, Settings
from bespeak.engine.settings import SourceSettings as Source
from bespeak.intake.columns import FIELDS
from bespeak.intake.items import FIELDS as ITEM_JSON_FIELDS
from bespeak.measure.metrics import BUILT_IN as METRICS
from bespeak.measure.metrics import SIGNAL_SCHEMA, Metric
from bespeak.profiles import record, stage
from bespeak.rules import BUILT_INS
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.purposes import BUILT_IN as PURPOSES
from bespeak.signals.purposes import PURPOSE_TEXTS
from bespeak.signals.signal import SignalClass
from bespeak.signals.specs import ROLES, ConditionSpec, SignalSpec, StrengthSpec, TraitSpec
from from_code.describing import (
    attribute_texts,
    code,
    fields_table,
    first_line,
    meaning,
    table,
    toml,
    type_text,
)

_PARTS: dict[str, type[Part]] = {
    "sources": placement_parts.SourceSettings,
    "pins": placement_parts.PinSettings,
    "creatives": placement_parts.CreativeSettings,
    "actions": placement_parts.ActionSettings,
    "cap in a window": placement_parts.CapSettings,
    "shares": placement_parts.ShareSettings,
    "boosts": placement_parts.BoostSettings,
    "cooling off": placement_parts.CoolingSettings,
    "rotation": placement_parts.RotationSettings,
}
"""The tables within a placement, by the heading of their section."""


def configuration() -> str:
    """Every setting of `bespeak.toml`."""
    parts = [
        "# Configuration\n\nEvery section and setting of `bespeak.toml`. `bespeak init` writes the file with the same "
        "texts as comments. The file is a proposal: [`bespeak apply`](command-line.md#bespeak-apply) checks it, shows "
        "the difference to what is active, and makes it active. A wrong key or value is refused with file, key and "
        "what is allowed; nothing half-applies.",
    ]
    hints = get_type_hints(Settings, include_extras=True)
    for name, hint in hints.items():
        parts.append(f"## {name}\n\n{_section(name, hint)}")
    return "\n\n".join(parts)


def _section(name: str, hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, Section):
        text = f"{first_line(hint)}\n\n{fields_table(hint)}"
        if name == "consent":
            rows = [(code(purpose), PURPOSE_TEXTS[purpose]) for purpose in PURPOSES]
            text += "\n\nThe built-in purposes:\n\n" + table(("purpose", "what for"), rows)
        return text
    text = meaning(hint)[:1].upper() + meaning(hint)[1:] + "."
    if name in ("sources", "keys"):
        kind = Source if name == "sources" else KeySettings
        return f"{text} One table per name, such as `[{name}.{'web' if name == 'sources' else 'admin'}]`.\n\n" + (
            fields_table(kind)
        )
    if name == "experiments":
        return (
            f"{text} One table per experiment: `[experiments.NAME]`.\n\n{fields_table(ExperimentSettings)}\n\n"
            f"An arm, `[experiments.NAME.variants.ARM]`:\n\n{fields_table(ArmSettings)}"
        )
    if name == "metrics":
        return f"{text} One table per metric, `[metrics.NAME]`; `like` names the metric that it starts from.\n\n" + (
            f"{fields_table(Metric)}\n\n{_built_in_metrics()}\n\n{_metric_rules()}"
        )
    if name == "predictions":
        return f"{text} One table per name, such as `[predictions.churn]`; [how](../how-to/predictions.md).\n\n" + (
            fields_table(PredictionSettings)
        )
    return {
        "signals": f"{text} The shape of entries: [signals](signals.md#own-entries).",
        "segments": f"{text} One line per segment. What a rule may name: [rules](rules.md#profiles).",
        "placements": f"{text} One table per placement. Its settings: [placements](placements.md).",
        "pages": f"{text} One table per page. Its settings: [placements](placements.md#pages).",
    }[name]


def _built_in_metrics() -> str:
    rows = [
        (code(metric.name), metric.shown, metric.kind, code(metric.of), code(metric.per), metric.good)
        for metric in METRICS.values()
    ]
    return "The built-in metrics:\n\n" + table(("name", "title", "kind", "of", "per", "better is"), rows)


def _metric_rules() -> str:
    columns = ", ".join(code(name) for name in SIGNAL_SCHEMA.columns)
    return (
        f"A rule of a metric may name {columns}: name of the event, the catalogue's signal and its class, the item, "
        "strength, money in major units of the project's currency, the catalogue's amount (seconds watched or read, a "
        "survey's answer), id of the decision."
    )


def placements() -> str:
    """What a placement can be told."""
    hints = get_type_hints(Placement, include_extras=True)
    texts = attribute_texts(Placement)
    links = {kind: f"[{name.removesuffix('s')}](#{name.replace(' ', '-')})" for name, kind in _PARTS.items()}
    rows = [
        (code(f.name), type_text(hints[f.name], links.__getitem__), _value(f.default), texts[f.name])
        for f in msgspec.structs.fields(Placement)
        if f.name != "name"
    ]
    parts = [
        "# Placements\n\nA placement is a place where a decision is shown. `[placements.NAME]` in `bespeak.toml` "
        "changes one of the built-in placements or adds one. A new one starts from "
        "the built-in placement that it names as `like`, else from `home`. Every change is a new version of the "
        "placement's policy, which each decision records.",
        "## Settings\n\n" + table(("name", "type", "default", "meaning"), rows),
        *(f"## {name.capitalize()}\n\n{_part(name, kind)}" for name, kind in _PARTS.items()),
        "## Variants\n\n" + _variants(),
        "## Pages\n\n" + _pages(),
        "## What the built-in placements set\n\n" + _built_in_placements(),
        "## Signals of the score\n\n`score = sum(value * weight)`. These are the values:\n\n```text\n"
        + (inspect.getdoc(features) or "").partition("\n\n")[2]
        + "\n```\n\nTheir prior weights; `weights` of a placement goes on top, and the most exact name wins:\n\n"
        + table(("signal", "weight"), [(code(name), f"{weight:g}") for name, weight in PRIOR_WEIGHTS.items()]),
    ]
    return "\n\n".join(parts)


def _variants() -> str:
    hints = get_type_hints(VariantSettings, include_extras=True)
    texts = attribute_texts(VariantSettings)
    rows = [
        (code(f.name), type_text(hints[f.name]), _value(f.default), texts[f.name])
        for f in msgspec.structs.fields(VariantSettings)
    ]
    return (
        'With `kind = "variant"` a placement shows one of the variants that it declares, and has these settings '
        "instead:\n\n" + table(("name", "type", "default", "meaning"), rows) + "\n\nWhat a line may name: "
        "[rules](rules.md#lines-of-variants)."
    )


def _pages() -> str:
    hints = get_type_hints(Page, include_extras=True)
    texts = attribute_texts(Page)
    rows = [
        (code(f.name), type_text(hints[f.name], lambda _: "row"), _default_of(f), texts[f.name])
        for f in msgspec.structs.fields(Page)
        if f.name != "name"
    ]
    front = [f"  {toml(_changed(row))}," for row in BUILT_IN_PAGES["front"].rows]
    return (
        "`[pages.NAME]` declares a page, or changes the built-in page `front`:\n\n"
        + table(("name", "type", "default", "meaning"), rows)
        + "\n\nAn entry of `rows` is the name of a placement, or a table:\n\n"
        + fields_table(RowSettings)
        + "\n\n```text\n[pages.front]\nrows = [\n"
        + "\n".join(front)
        + "\n]\n```"
    )


def _changed(row: RowSettings) -> dict[str, Any]:
    """The settings of a row that are not the usual ones."""
    usual = msgspec.to_builtins(RowSettings(placement=""))
    return {name: value for name, value in msgspec.to_builtins(row).items() if value != usual[name]}


def _default_of(field: Any) -> str:
    if field.default is not msgspec.NODEFAULT:
        return _value(field.default)
    return code(toml(field.default_factory()))


def _part(name: str, kind: type[Part]) -> str:
    """A table within a placement: what it is, its settings, and what a source may be."""
    text = f"{first_line(kind)}\n\n{fields_table(kind)}"
    if name != "sources":
        return text
    names = ", ".join(code(n) for n in SOURCE_NAMES)
    past = (inspect.getdoc(past_items) or "").partition("\n\n")[2]
    return (
        f"{text}\n\n`name` is one of {names}, or `model.NAME` for one model of the "
        "[list](../explanation/models/README.md). `match` (search) and the caller's own list come with requests. "
        "`cart` is what is bought together with what is in the cart, `value` the most popular items with the value "
        f"that the placement is about. Four come from what the person did before:\n\n```text\n{past}\n```"
    )


def _value(default: Any) -> str:
    is_none = default in (msgspec.NODEFAULT, None) or isinstance(default, msgspec.Struct)
    return "" if is_none else code(toml(default))


def _built_in_placements() -> str:
    defaults = msgspec.structs.asdict(Placement())
    blocks = []
    for name, placement in BUILT_IN.items():
        lines = [f"[placements.{name}]"]
        for field, value in msgspec.structs.asdict(placement).items():
            if field == "sources":
                lines.append("sources = [")
                lines += [f"  {toml({'name': s.name, 'limit': s.limit})}," for s in value]
                lines.append("]")
            elif field != "name" and value != defaults[field]:
                lines.append(f"{field} = {toml(value)}")
        blocks.append("\n".join(lines))
    return "```text\n" + "\n\n".join(blocks) + "\n```"


def signals() -> str:
    """The built-in signal catalogue."""
    catalogue = SignalCatalogue.built_in()
    class_rows = [
        (code(c.name), f"{c.prior_weight:g}", f"{c.half_life_days:g}", code(c.purpose), c.verb)
        for c in catalogue.classes.values()
    ]
    rows = [
        (
            code(row["signal"]),
            code(row["type"]),
            ", ".join("every other" if name == "*" else name for name in row["events"]),
            code(row["class"]),
            f"{row['kind']}, {row['origin']}",
            _strength(row["strength"]),
            code(row["role"]),
        )
        for row in catalogue.describe()
    ]
    traits = [(code(n), ", ".join(map(code, spec.keys)), spec.as_) for n, spec in catalogue.trait_specs.items()]
    words: dict[str, list[str]] = {}
    for word, event in catalogue.words.items():
        words.setdefault(event, []).append(word)
    return "\n\n".join(
        [
            "# Signals\n\nAn event is what a client sent. A signal is what it says about a person. This is the "
            "built-in catalogue; event names are compared without regard to case. A track with an unknown name that "
            "names an item gives a signal of class `custom`, which weighs nothing until you map it.",
            "## Classes\n\nSignals of a class are aggregated, consented to and weighted together. `weight` is the "
            "prior one, negative for what people turn away from. After `half-life` days an aggregate counts half.\n\n"
            + table(("class", "weight", "half-life", "purpose", 'verb ("you …")'), class_rows),
            "## Events\n\n" + table(("signal", "call", "events", "class", "kind, origin", "strength", "role"), rows),
            "## Traits\n\nTyped traits of an identify, read from the first key that is there. Every other trait is "
            "kept as sent; `dropped` ones are not kept.\n\n" + table(("trait", "from", "as"), traits),
            "## Words\n\nShort words that files may use as event names.\n\n"
            + table(("event", "words"), [(event, ", ".join(map(code, found))) for event, found in words.items()]),
            _own_entries(),
        ]
    )


def _strength(value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"{value:g}"
    return ", ".join(f"{name} {toml(part)}" for name, part in value.items())


def _own_entries() -> str:
    shapes: list[tuple[str, type[msgspec.Struct]]] = [
        ("signals.classes.NAME", SignalClass),
        ("signals.events.NAME", SignalSpec),
        ("strength of an event", StrengthSpec),
        ("when of an event", ConditionSpec),
        ("signals.traits.NAME", TraitSpec),
    ]
    parts = [f"### {title}\n\n{first_line(kind)}\n\n{fields_table(kind)}" for title, kind in shapes]
    roles = ", ".join(code(role) for role in ROLES if role)
    return "\n\n".join(
        [
            "## Own entries\n\nThe `[signals]` section of `bespeak.toml` goes on top: fields replace fields, new "
            "names add. "
            f"Roles: {roles}.",
            *parts,
        ]
    )


def rules() -> str:
    """The rule language with every name it knows."""
    text = inspect.getdoc(import_module("bespeak.rules")) or ""
    classes = SignalCatalogue.built_in().classes
    counted = ", ".join(code(record.plural(name)) for name in classes)
    return "\n\n".join(
        [
            "# Rule language\n\nSQL boolean expressions. The same text filters items and tests a profile.",
            "## Language\n\n" + "- comparisons" + text.partition("- comparisons")[2],
            f"Functions of every rule: {', '.join(code(name) for name in BUILT_INS)}.",
            "## Items\n\nIn `filter` of a request or placement.\n\n" + _plain_doc(item_columns),
            "## Profiles\n\nIn `[segments]`.\n\n" + _plain_doc(record),
            f"Classes as their counts are called, each with `_7d`, `_30d` and `_90d`: {counted}.",
            "## Lines of variants\n\nIn `when` of a placement with variants.\n\n" + _plain_doc(when),
            "### Stages\n\nThe values of `stage`.\n\n"
            + (inspect.getdoc(stage) or "").partition("\n\n")[2]
            + "\n\nThe thresholds: "
            + ", ".join(f"{code(name)} {value}" for name, value in msgspec.structs.asdict(stage.StageRules()).items())
            + ".",
        ]
    )


def _plain_doc(module: Any) -> str:
    """A module's docstring behind its first line; indented lists become code."""
    blocks = (inspect.getdoc(module) or "").split("\n\n")[1:]
    return "\n\n".join(f"```text\n{inspect.cleandoc(b)}\n```" if b.startswith("    ") else b for b in blocks)


def files() -> str:
    """What imports read."""
    rows = [(code(what), ", ".join(code(name) for name in names)) for what, names in FIELDS.items()]
    item_rows = ", ".join(code(name) for name in ITEM_JSON_FIELDS)
    return (
        "# Files and items\n\n`bespeak import events|items|users FILE` reads CSV, JSONL (plain or gzip) and Parquet. "
        "`--map` says which column is which of these fields (*our field = their column*). Columns that are not mapped "
        "become properties of the event, attributes of the item, or traits of the user.\n\n"
        + table(("kind", "fields"), rows)
        + "\n\nFields of an item in `PUT /api/items`, `engine.items.put` and JSON files without `--map`: "
        f"{item_rows}. `price`, `priceMinor`, `currency` and `available` are shorthands for the default market."
    )
