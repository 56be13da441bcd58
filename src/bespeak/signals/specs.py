"""What one entry of the signal catalogue may say: the shape of its TOML, checked when it is read.

A project's `[signals]` section has the same shape as the built-in files under `signals/data`:

    [signals.classes.view]            change or add a class
    half_life_days = 10

    [signals.events.song_played]      change or add a signal; the built-in ones are listed in the reference
    events = ["Song Played"]
    class = "watch"
    items = ["song_id"]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args

import msgspec

from bespeak.errors import ConfigError
from bespeak.signals.events import EventType
from bespeak.signals.signal import Kind, Origin, SignalClass

Role = Literal[
    "",
    "search",
    "cart_add",
    "cart_remove",
    "cart_set",
    "checkout",
    "order",
    "refund",
    "cancel",
    "sign_up",
    "unsubscribe",
    "exposure",
    "experiment",
    "consent",
]
ROLES: tuple[str, ...] = get_args(Role)

TraitType = Literal["text", "number", "age_band", "gender", "language", "income_band", "dropped"]

ANY_NAME = "*"


class StrengthSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How strong one signal is, before any weight. Exactly one of the four sources is given.

    Attributes:
        property: a number at this path.
        fraction: (part, whole): their quotient, kept within 0 and 1.
        rating: a number on `scale`, centred: the middle of the scale gives 0, its ends -1 and 1.
        quantity: how many pieces.
        divide_by: the number is divided by this.
        default: what holds when the property is missing or no number.
    """

    property: str = ""
    fraction: tuple[str, str] | None = None
    rating: str = ""
    quantity: str = ""
    scale: tuple[float, float] = (1.0, 5.0)
    divide_by: float = 1.0
    min: float | None = None
    max: float | None = None
    default: float = 1.0


class ConditionSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When an entry applies: the property equals a value, or a number (or fraction) lies in [at_least, below).

    Attributes:
        default: the answer when the property is missing.
    """

    property: str = ""
    fraction: tuple[str, str] | None = None
    equals: str | float | bool | None = None
    at_least: float | None = None
    below: float | None = None
    default: bool = False


class SignalSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"signal_class": "class"}
):
    """One entry of the catalogue: which events it reads and what they say.

    Attributes:
        events: event names, compared without regard to case; "*" is every name that no other entry of the type names.
        signal_class: name of the class it aggregates under.
        items: paths to the item id, or the name of a declared list of paths.
        facets: facet -> path or paths, or the name of a declared set.
        price, quantity, currency: read in the element that carries the item, else in the properties.
        total: paths of the whole event's money; the items' values are scaled so that they add up to it exactly.
        role: what the event does besides (cart, order, exposure, consent, …).
        needs_item: without an item there is no signal.
        scales: property names that become traits (declared interests, values, lifestyle, satisfaction).
        scale_paths: `scale` and `answer`: properties that hold the name of the scale and the answer.
        amount: paths of a number that metrics may sum: seconds watched or read, a survey's answer. Profiles keep none.
    """

    events: tuple[str, ...]
    signal_class: str
    type: EventType = "track"
    kind: Kind = "behavioral"
    origin: Origin = "implicit"
    strength: float | StrengthSpec = 1.0
    items: str | tuple[str, ...] = "product"
    facets: str | dict[str, str | tuple[str, ...]] = "product"
    price: str = "price"
    quantity: str = "quantity"
    currency: str = "currency"
    total: tuple[str, ...] = ()
    when: ConditionSpec | None = None
    role: Role = ""
    needs_item: bool = False
    enabled: bool = True
    scales: tuple[str, ...] = ()
    scale_paths: dict[str, str] = {}
    amount: tuple[str, ...] = ()


class TraitSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"keys": "from"}):
    """One typed trait: the keys it comes under (`a.b` for nested ones), the first one present wins."""

    keys: tuple[str, ...]
    as_: TraitType = msgspec.field(default="text", name="as")


S = TypeVar("S", bound=msgspec.Struct)


def read_spec(raw: Mapping[str, Any], kind: type[S], key: str, base: S | None = None) -> S:
    """Returns one entry, its missing fields taken from `base`.

    Raises:
        ConfigError: an unknown field or a wrong value; names `key` and the fields that are allowed.
    """
    fields = kind.__struct_encode_fields__
    if not isinstance(raw, Mapping):
        raise ConfigError(f"must be a table, not {type(raw).__name__}.", key=key, hint=f"Fields: {', '.join(fields)}.")
    unknown = [name for name in raw if name not in fields]
    if unknown:
        raise ConfigError(f"there is no field '{unknown[0]}'.", key=key, hint=f"Fields: {', '.join(fields)}.")
    merged = {**(msgspec.to_builtins(base) if base is not None else {}), **raw}
    try:
        return msgspec.convert(merged, kind)
    except msgspec.ValidationError as error:
        raise ConfigError.of_value(error, key=key, hint=f"Fields: {', '.join(fields)}.") from None


def check_class(signal_class: SignalClass, key: str) -> None:
    """Refuses a class that could not be folded: a half-life that is not positive, or no purpose."""
    if not signal_class.half_life_days > 0:
        raise ConfigError("half_life_days must be above 0.", key=key)
    if not signal_class.purpose:
        raise ConfigError("purpose must name a consent purpose.", key=key)


def check_strength(spec: float | StrengthSpec, key: str) -> None:
    """Refuses a strength with no source, with two, or with an empty scale."""
    if not isinstance(spec, StrengthSpec):
        return
    given = [name for name in ("property", "fraction", "rating", "quantity") if getattr(spec, name)]
    if len(given) != 1:
        raise ConfigError(
            "strength needs exactly one of property, fraction, rating, quantity, or a plain number.", key=key
        )
    if spec.scale[0] >= spec.scale[1]:
        raise ConfigError("scale must be [lowest, highest].", key=key)
    if spec.divide_by <= 0:
        raise ConfigError("divide_by must be above 0.", key=key)
