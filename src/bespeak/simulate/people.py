"""The people of the simulated shop: who they are, what they like, and what they allow. All of it is invented."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.goods import STYLE_DIMENSIONS
from bespeak.simulate.ranges import BRANDS, CATEGORIES, COLOURS

_FIRST_NAMES = {
    "female": ("Anna", "Clara", "Elif", "Emma", "Greta", "Hanna", "Ida", "Jana", "Lena", "Maya", "Nora", "Sofia"),
    "male": ("Adam", "Ben", "Daniel", "Emil", "Felix", "Jonas", "Leo", "Luca", "Milan", "Noah", "Omar", "Paul"),
    "other": ("Alex", "Charlie", "Kim", "Robin", "Sam", "Toni"),
}
_LAST_NAMES = ("Adler", "Berg", "Costa", "Demir", "Ek", "Fischer", "Gruber", "Hale", "Ivers", "Jansen", "Keller",
               "Lind", "Moreau", "Novak", "Olsen", "Peters", "Rossi", "Sand", "Tanaka", "Vogel")  # fmt: skip
_PLACES: tuple[tuple[str, str, str, str, int, float], ...] = (
    # city, country, locale, time zone, hours ahead of UTC (standard time is near enough for habits), share
    ("Berlin", "DE", "de-DE", "Europe/Berlin", 1, 0.22),
    ("Hamburg", "DE", "de-DE", "Europe/Berlin", 1, 0.14),
    ("Munich", "DE", "de-DE", "Europe/Berlin", 1, 0.12),
    ("Vienna", "AT", "de-AT", "Europe/Vienna", 1, 0.10),
    ("Zurich", "CH", "de-CH", "Europe/Zurich", 1, 0.06),
    ("Amsterdam", "NL", "en-NL", "Europe/Amsterdam", 1, 0.10),
    ("London", "GB", "en-GB", "Europe/London", 0, 0.16),
    ("Dublin", "IE", "en-IE", "Europe/Dublin", 0, 0.10),
)
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
_USER_AGENTS = {
    "desktop": (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Safari/605.1.15",
        "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    ),
    "mobile": (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_WEBKIT} Mobile/15E148 Safari/604.1",
        f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_CHROME} Mobile Safari/537.36",
    ),
    "tablet": (f"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) {_WEBKIT} Mobile/15E148 Safari/604.1",),
}
_PROFESSIONS = ("teacher", "engineer", "nurse", "designer", "student", "craftsperson", "manager", "researcher")


class Consent(StrEnum):
    """What a person has answered to the question for consent."""

    ALL = "all"
    """Everything is allowed, sharing included."""
    OURS = "ours"
    """Everything but sharing."""
    NOT_PERSONAL = "not_personal"
    """Measuring only: no profile for the person, no training."""
    ESSENTIAL = "essential"
    """Nothing beyond what the visit itself needs."""
    UNSPOKEN = "unspoken"
    """Never answered: what the source declares holds."""

    @property
    def preferences(self) -> dict[str, bool] | None:
        """`context.consent.categoryPreferences` of this person's events; None where nothing was answered.

        Example:
            >>> Consent.NOT_PERSONAL.preferences["personalize"], Consent.UNSPOKEN.preferences
            (False, None)
        """
        if self is Consent.UNSPOKEN:
            return None
        ours = self in (Consent.ALL, Consent.OURS)
        return {
            "essential": True,
            "personalize": ours,
            "measure": self is not Consent.ESSENTIAL,
            "improve": ours,
            "share": self is Consent.ALL,
        }


_CONSENT_SHARES = {
    Consent.ALL: 0.22,
    Consent.OURS: 0.46,
    Consent.NOT_PERSONAL: 0.09,
    Consent.ESSENTIAL: 0.07,
    Consent.UNSPOKEN: 0.16,
}
_LOGIN_SHARE = 0.72
_NEWSLETTER_SHARE = 0.45


@dataclass(frozen=True)
class Device:
    """One browser of a person, with its own anonymous id."""

    kind: str
    anonymous_id: str
    user_agent: str
    share: float


@dataclass(frozen=True, eq=False)
class Person:
    """The hidden truth about one person.

    Attributes:
        index: position in the world.
        user_id: the id they log in with; None for those who stay anonymous for ever.
        name, email, gender, age, profession, city, country, locale, timezone, utc_offset_hours: who they are.
        devices: one to three; the shares of their visits sum to one.
        consent: what they allow.
        newsletter: takes the weekly e-mail (only people with a `user_id`).
        taste: liking per category in standard deviations, float64[n_categories].
        brand_taste: liking per brand, float64[n_brands].
        colour_taste: liking per colour, float64[n_colours].
        style: liking of the hidden style dimensions, float64[STYLE_DIMENSIONS].
        price_sensitivity: how much a standard deviation of price takes away, never negative.
        visits_per_week: rate of visits while active.
        login_habit: chance to log in during a visit on a device that is not logged in.
        favourite_hour: local hour around which visits happen.
    """

    index: int
    user_id: str | None
    name: str
    email: str
    gender: str
    age: int
    profession: str
    city: str
    country: str
    locale: str
    timezone: str
    utc_offset_hours: int
    devices: tuple[Device, ...]
    consent: Consent
    newsletter: bool
    taste: NDArray[np.float64]
    brand_taste: NDArray[np.float64]
    colour_taste: NDArray[np.float64]
    style: NDArray[np.float64]
    price_sensitivity: float
    visits_per_week: float
    login_habit: float
    favourite_hour: float

    @property
    def top_category(self) -> str:
        """The category liked most."""
        return CATEGORIES[int(np.argmax(self.taste))].key

    def traits(self) -> dict[str, object]:
        """What `identify` sends about this person."""
        return {
            "name": self.name,
            "email": self.email,
            "gender": self.gender,
            "age": self.age,
            "profession": self.profession,
            "language": self.locale[:2],
            "address": {"city": self.city, "country": self.country},
            "newsletter": self.newsletter,
        }


def make_person(rng: np.random.Generator, index: int) -> Person:
    """Draws one person; age and gender shift the tastes by what the categories declare.

    Args:
        rng: this person's own generator, so that person `index` is the same in a world of any size.
        index: position in the world; ids and the e-mail address follow from it.
    """
    gender = str(rng.choice(["female", "male", "other"], p=[0.49, 0.48, 0.03]))
    age = int(np.clip(rng.gamma(6.0, 4.0) + 17, 18, 88))
    place = _PLACES[int(rng.choice(len(_PLACES), p=[row[-1] for row in _PLACES]))]
    city, country, locale, timezone, offset, _ = place
    name = f"{rng.choice(_FIRST_NAMES[gender])} {rng.choice(_LAST_NAMES)}"
    has_account = bool(rng.random() < _LOGIN_SHARE)
    devices = _draw_devices(rng, index)
    return Person(
        index=index,
        user_id=f"u{index + 1:04d}" if has_account else None,
        name=name,
        email=f"{name.lower().replace(' ', '.')}.{index + 1}@example.org",
        gender=gender,
        age=age,
        profession=str(rng.choice(_PROFESSIONS)),
        city=city,
        country=country,
        locale=locale,
        timezone=timezone,
        utc_offset_hours=offset,
        devices=devices,
        consent=list(_CONSENT_SHARES)[int(rng.choice(len(_CONSENT_SHARES), p=list(_CONSENT_SHARES.values())))],
        newsletter=has_account and bool(rng.random() < _NEWSLETTER_SHARE),
        taste=_draw_taste(rng, age, gender),
        brand_taste=rng.normal(0, 1, len(BRANDS)),
        colour_taste=rng.normal(0, 1, len(COLOURS)),
        style=rng.normal(0, 1, STYLE_DIMENSIONS),
        price_sensitivity=float(rng.gamma(2.0, 0.3)),
        visits_per_week=float(min(rng.gamma(1.3, 0.95) + 0.15, 9.0)),
        login_habit=float(rng.beta(2.0, 2.0)),
        favourite_hour=float(rng.choice([8.0, 12.5, 20.5], p=[0.2, 0.25, 0.55])),
    )


def _draw_taste(rng: np.random.Generator, age: int, gender: str) -> NDArray[np.float64]:
    """Normal noise plus the categories' leans, standardized, so that everybody has loves and dislikes."""
    years = np.clip((age - 45) / 20, -1.5, 1.5) / 2
    side = {"female": 0.5, "male": -0.5}.get(gender, 0.0)
    leans = np.array([category.older * years + category.feminine * side for category in CATEGORIES])
    taste = rng.standard_normal(len(CATEGORIES)) + 1.2 * leans
    return np.asarray((taste - taste.mean()) / taste.std())


def _draw_devices(rng: np.random.Generator, index: int) -> tuple[Device, ...]:
    kinds = rng.permutation(["mobile", "desktop", "tablet"])[: int(rng.choice([1, 2, 3], p=[0.55, 0.37, 0.08]))]
    shares = rng.dirichlet(np.full(len(kinds), 2.0))
    return tuple(
        Device(
            kind=str(kind),
            anonymous_id=f"a{index + 1:04d}-{rng.bytes(6).hex()}",
            user_agent=str(rng.choice(_USER_AGENTS[str(kind)])),
            share=float(share),
        )
        for kind, share in zip(kinds, shares, strict=True)
    )
