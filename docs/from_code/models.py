"""Pages on the algorithms, from the docstrings of their modules."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import MISSING
from dataclasses import fields as dataclass_fields
from typing import Any, get_type_hints

from bespeak.models.base import Model
from bespeak.models.families import FAMILIES
from bespeak.models.fitted import Fitted
from bespeak.models.ratings.base import RatingModel
from bespeak.models.ratings.biased_factorization import BiasedFactorization
from bespeak.models.ratings.item_mean import ItemMean
from from_code.describing import (
    attribute_texts,
    code,
    table,
    toml,
    type_text,
)

RATING_MODELS: dict[str, type[RatingModel]] = {kind.name: kind for kind in (BiasedFactorization, ItemMean)}
"""What foretells ratings, by name."""


def model_page(kind: type[Fitted]) -> str:
    """One algorithm: the idea, the formula, the cost, the settings."""
    module = inspect.getmodule(kind)
    title, _, body = (inspect.getdoc(module) or "").partition("\n")
    texts = attribute_texts(kind)
    hints = get_type_hints(kind)
    rows = [
        (code(f.name), type_text(hints[f.name]), _default(f.default), texts.get(f.name, ""))
        for f in dataclass_fields(kind)  # type: ignore[arg-type]
        if f.init and not f.name.startswith("_") and f.name in kind.__annotations__
    ]
    name, _, idea = title.partition(": ")
    parts = [
        f"# {name.removeprefix('A ').capitalize() if ' ' in name else name}",
        idea[:1].upper() + idea[1:],
        _body(body),
    ]
    parts.append(f"`bespeak.models.{kind.__name__}`, named `{kind.name}`.")
    if rows:
        parts.append("## Settings\n\n" + table(("name", "type", "default", "meaning"), rows))
    facts = [("the fitted model holds single people (erasure rewrites it)", kind.holds_people)]
    if issubclass(kind, Model):
        facts = [
            ("scores depend on the person's history", kind.personal),
            ("scores depend on the person's traits (age, country and the like)", kind.reads_traits),
            ("explains a score by items of the history", kind.explains),
            *facts,
        ]
    parts.append("## Facts\n\n" + table(("", ""), [(text, "yes" if is_so else "no") for text, is_so in facts]))
    return "\n\n".join(parts)


def _default(value: Any) -> str:
    return "required" if value is MISSING else code(toml(value))


def _body(text: str) -> str:
    """The rest of a module's docstring; a paragraph with a formula keeps its lines."""
    return "\n\n".join(
        f"```text\n{inspect.cleandoc(block)}\n```" if block.startswith("    ") or "=" in block else block
        for block in text.strip("\n").split("\n\n")
    )


def model_index() -> str:
    """The list of algorithms."""
    return (
        "# Models\n\n`bespeak train` fits these on a first part of the log, compares them on a later part, and keeps "
        "the best single model and a blend of a few. Which settings it tries depends on the size of the data. All "
        "models are arrays in, arrays out: `Model(settings).fit(interactions).recommend(users, k)`.\n\n"
        + table(("model", "idea"), _ideas(FAMILIES))
        + "\n\nWhere people give ratings, `bespeak train` also fits what foretells how highly somebody would rate an "
        "item: `engine.models.predict_ratings(user_id, item_ids)`, or alone "
        "`Model(settings).fit(ratings).predict(known, users, items)`.\n\n"
        + table(("model", "idea"), _ideas(RATING_MODELS))
    )


def _ideas(kinds: Mapping[str, type[Fitted]]) -> list[tuple[str, str]]:
    rows = []
    for name, kind in kinds.items():
        idea = (inspect.getdoc(inspect.getmodule(kind)) or "").split("\n")[0].partition(":")[2].strip()
        rows.append((f"[{name}]({name}.md)", idea[:1].upper() + idea[1:]))
    return rows
