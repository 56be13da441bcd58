"""The people of a world: who they are, what they like, what they allow, how they answer. All of it is invented.

Everything about person `i` is drawn under the counter `i`, so they are the same in a world of any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.behaviour import Behaviour
from bespeak.simulate.crowd.identities import is_in_household
from bespeak.simulate.draws import Draws, Purpose, pick
from bespeak.simulate.offer.stock import STYLE_DIMENSIONS, Stock

GENDERS = ("female", "male", "other")
_FIRST_NAMES: dict[str, tuple[str, ...]] = {
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
_PROFESSIONS = ("teacher", "engineer", "nurse", "designer", "student", "craftsperson", "manager", "researcher")


_GENDER_SHARES = (0.49, 0.48, 0.03)
NEVER = 2**30
"""A day that does not come."""


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


CONSENTS = tuple(Consent)
"""Consent by code: what `People.consent` holds."""
_CONSENT_SHARES = {
    Consent.ALL: 0.22,
    Consent.OURS: 0.46,
    Consent.NOT_PERSONAL: 0.09,
    Consent.ESSENTIAL: 0.07,
    Consent.UNSPOKEN: 0.16,
}
_LOGIN_SHARE = 0.72
_NEWSLETTER_SHARE = 0.45


_HOURS = np.array([8.0, 12.5, 20.5])
_HOUR_SHARES = (0.2, 0.25, 0.55)


class Response(StrEnum):
    """What a newsletter does to a person."""

    NONE = "none"
    """Nothing: they come, or stay away, as they would have."""
    PERSUADABLE = "persuadable"
    """They come more often."""
    SLEEPING_DOG = "sleeping_dog"
    """They come less often."""


RESPONSES = tuple(Response)


@dataclass(frozen=True, eq=False)
class Person:
    """One row of `People`, for pages and tests.

    Attributes:
        index: position in the world.
        user_id: the id they log in with; None for those who stay anonymous for ever.
        profile_id: their profile under an account that a household shares; None for an account of their own.
        name, email, gender, age, profession, city, country, locale, timezone: who they are.
        consent: their last word within the world's time.
        newsletter: takes the weekly e-mail at first.
        top_category: the value of the first facet liked most (before any drift).
    """

    index: int
    user_id: str | None
    profile_id: str | None
    name: str
    email: str
    gender: str
    age: int
    profession: str
    city: str
    country: str
    locale: str
    timezone: str
    consent: Consent
    newsletter: bool
    top_category: str

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


@dataclass(frozen=True, eq=False)
class People:
    """The hidden truth about everybody; row `i` of every array is person `i`.

    Attributes:
        gender: index into `GENDERS`, int64[n].
        age: years, int64[n].
        place: index of the place, int64[n].
        utc_offset_hours: hours ahead of UTC, float64[n].
        has_account: can log in, bool[n].
        account: whose account they log in to, as the index of a person; their own for most, int64[n].
        profile: number of their profile under an account that is shared, from 1; 0: nobody shares it, int64[n].
        newsletter: takes the weekly e-mail at first, bool[n]; only people with an account.
        consent: index into `CONSENTS` of what they answer first, int64[n].
        withdraw_day: from this day on only the essential is allowed; `NEVER` for most, int64[n].
        tastes: facet -> liking of each of its values in standard deviations, float32[n, n_values].
        later_tastes: the same from the drift day on.
        style: liking of the hidden style dimensions, float32[n, STYLE_DIMENSIONS].
        price_sensitivity: what a standard deviation of price takes away, never negative, float64[n].
        visits_per_week: rate of visits at usual attachment, float64[n].
        login_habit: chance to log in during a visit on a device that is not logged in, float64[n].
        favourite_hour: local hour around which visits happen, float64[n].
        join_day: first day on which they may come, int64[n].
        response: index into `RESPONSES`, int64[n].
        mail_effect: change of the log rate of visits after a newsletter, float64[n].
        is_in_group: belongs to the protected group, bool[n].
    """

    gender: NDArray[np.int64]
    age: NDArray[np.int64]
    place: NDArray[np.int64]
    utc_offset_hours: NDArray[np.float64]
    has_account: NDArray[np.bool_]
    account: NDArray[np.int64]
    profile: NDArray[np.int64]
    newsletter: NDArray[np.bool_]
    consent: NDArray[np.int64]
    withdraw_day: NDArray[np.int64]
    tastes: Mapping[str, NDArray[np.float32]]
    later_tastes: Mapping[str, NDArray[np.float32]]
    style: NDArray[np.float32]
    price_sensitivity: NDArray[np.float64]
    visits_per_week: NDArray[np.float64]
    login_habit: NDArray[np.float64]
    favourite_hour: NDArray[np.float64]
    join_day: NDArray[np.int64]
    response: NDArray[np.int64]
    mail_effect: NDArray[np.float64]
    is_in_group: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.age)

    def consent_on(self, day: int) -> NDArray[np.int64]:
        """Index into `CONSENTS` of what holds on a day, int64[n]."""
        return np.where(self.withdraw_day <= day, CONSENTS.index(Consent.ESSENTIAL), self.consent)

    def tastes_on(self, day: int, drift_day: int | None) -> Mapping[str, NDArray[np.float32]]:
        """The tastes that hold on a day."""
        return self.tastes if drift_day is None or day < drift_day else self.later_tastes

    def user_id(self, index: int) -> str | None:
        """The id that person `index` logs in with."""
        return f"u{self.account[index] + 1:04d}" if self.has_account[index] else None

    def profile_id(self, index: int) -> str | None:
        """The profile of person `index`; ids of profiles tell nothing without their account, and repeat in others."""
        return f"profile-{self.profile[index]}" if self.profile[index] else None

    def pays(self, people: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether these people subscribe and cancel themselves: a profile of somebody else's account does not."""
        return np.asarray(self.account[people] == people)

    def person(self, index: int, stock: Stock, last_day: int) -> Person:
        """One row, in words."""
        gender = GENDERS[int(self.gender[index])]
        city, country, locale, timezone, _, _ = _PLACES[int(self.place[index])]
        # Names come from the index alone: they are for reading, and nothing depends on them.
        word = int(Draws(0).words(Purpose.PERSON, index)[0])
        names = _FIRST_NAMES[gender]
        first, last = names[word % len(names)], _LAST_NAMES[word // 64 % len(_LAST_NAMES)]
        favourite = int(np.argmax(next(iter(self.tastes.values()))[index]))
        return Person(
            index=index,
            user_id=self.user_id(index),
            profile_id=self.profile_id(index),
            name=f"{first} {last}",
            email=f"{first}.{last}.{index + 1}@example.org".lower(),
            gender=gender,
            age=int(self.age[index]),
            profession=_PROFESSIONS[word // 4096 % len(_PROFESSIONS)],
            city=city,
            country=country,
            locale=locale,
            timezone=timezone,
            consent=CONSENTS[int(self.consent_on(last_day)[index])],
            newsletter=bool(self.newsletter[index]),
            top_category=stock.kinds[favourite].key,
        )


def make_people(
    draws: Draws, n: int, stock: Stock, behaviour: Behaviour, n_days: int, *, shares_accounts: bool = False
) -> People:
    """Draws everybody; age and gender shift the tastes by what the stock's kinds declare.

    Args:
        draws: the world's random numbers.
        n: how many.
        stock: whose facets the tastes are for.
        behaviour: shares and effects.
        n_days: length of the world's time, within which people join and withdraw.
        shares_accounts: a household logs in to one account, in which each has a profile.
    """
    index = np.arange(n)

    def uniform(which: int) -> NDArray[np.float64]:
        return draws.uniform(Purpose.PERSON, index, which)

    gender = draws.choice(_GENDER_SHARES, Purpose.PERSON, index, 0)
    age = np.clip(17 + 4.0 * sum(draws.exponential(Purpose.PERSON, index, 100 + j) for j in range(6)), 18, 88)
    place = draws.choice([row[-1] for row in _PLACES], Purpose.PERSON, index, 1)
    offset = np.array([row[4] for row in _PLACES], dtype=np.float64)[place]
    has_account = uniform(2) < _LOGIN_SHARE
    shares = has_account & (draws.uniform(Purpose.PERSON, index ^ 1, 2) < _LOGIN_SHARE)
    shares &= shares_accounts & is_in_household(draws, index, behaviour)
    consent = draws.choice(list(_CONSENT_SHARES.values()), Purpose.CONSENT, index, 0)
    allows = np.isin(consent, [CONSENTS.index(Consent.ALL), CONSENTS.index(Consent.OURS)])
    withdraws = allows & (draws.uniform(Purpose.CONSENT, index, 1) < behaviour.withdraw_share)
    withdraw_day = (draws.uniform(Purpose.CONSENT, index, 2) * n_days).astype(np.int64)
    # The protected group lives in London and Dublin three times as often as elsewhere: one feature tells something.
    places = np.array([3.0 if row[1] in ("GB", "IE") else 1.0 for row in _PLACES])
    places /= places @ [row[-1] for row in _PLACES]
    is_in_group = uniform(3) < behaviour.group_share * places[place]
    strength = np.where(is_in_group, 1.0 - behaviour.group_gap, 1.0)[:, None]
    tastes = {
        facet: (strength * draws.normal(Purpose.TASTE, index[:, None], place_of_facet, np.arange(n_values))).astype(
            np.float32
        )
        for place_of_facet, (facet, n_values) in enumerate(stock.n_values.items())
    }
    first = next(iter(tastes))
    leans = _leans(stock, age, gender)
    tastes[first] = (strength * _standardized(draws, index, leans, 1_000)).astype(np.float32)
    turned = (strength * _standardized(draws, index, np.zeros_like(leans), 2_000)).astype(np.float32)
    share = np.float32(behaviour.drift_share)
    later = np.sqrt(1 - share**2) * tastes[first] + share * turned
    style = draws.normal(Purpose.TASTE, index[:, None], 3_000, np.arange(STYLE_DIMENSIONS))
    responses = (1 - behaviour.persuadable_share - behaviour.sleeping_dog_share,
                 behaviour.persuadable_share, behaviour.sleeping_dog_share)  # fmt: skip
    response = draws.choice(responses, Purpose.MAIL, index, 0)
    joins_later = draws.uniform(Purpose.JOIN, index, 0) < behaviour.join_share
    busy = -np.log1p(-uniform(4)) * 0.95 + draws.exponential(Purpose.PERSON, index, 5) * 0.28
    first_try, second_try = uniform(6), uniform(7)
    return People(
        gender=gender,
        age=age.astype(np.int64),
        place=place,
        utc_offset_hours=offset,
        has_account=has_account,
        account=np.where(shares, index & ~1, index),
        profile=np.where(shares, 1 + (index & 1), 0),
        newsletter=has_account & (uniform(8) < _NEWSLETTER_SHARE),
        consent=consent,
        withdraw_day=np.where(withdraws, withdraw_day, NEVER),
        tastes=tastes,
        later_tastes={**tastes, first: later.astype(np.float32)},
        style=style.astype(np.float32),
        price_sensitivity=0.3
        * (draws.exponential(Purpose.PERSON, index, 9) + draws.exponential(Purpose.PERSON, index, 10)),
        visits_per_week=np.minimum(busy + 0.15, 9.0),
        login_habit=(first_try + second_try) / 2,
        favourite_hour=_HOURS[pick(np.array(_HOUR_SHARES), uniform(11))],
        join_day=np.where(joins_later, (draws.uniform(Purpose.JOIN, index, 1) * n_days).astype(np.int64), 0),
        response=response,
        mail_effect=np.array([0.0, behaviour.mail_effect, -behaviour.mail_effect])[response],
        is_in_group=is_in_group,
    )


def _leans(stock: Stock, age: NDArray[np.float64], gender: NDArray[np.int64]) -> NDArray[np.float64]:
    years = np.clip((age - 45) / 20, -1.5, 1.5) / 2
    side = np.array([0.5, -0.5, 0.0])[gender]
    older = np.array([kind.older for kind in stock.kinds])
    feminine = np.array([kind.feminine for kind in stock.kinds])
    return np.asarray(1.2 * (years[:, None] * older + side[:, None] * feminine))


def _standardized(
    draws: Draws, index: NDArray[np.int64], leans: NDArray[np.float64], stream: int
) -> NDArray[np.float64]:
    """Normal noise plus leans, standardized within a person, so that everybody has loves and dislikes."""
    taste = draws.normal(Purpose.TASTE, index[:, None], stream, np.arange(leans.shape[1])) + leans
    taste -= taste.mean(axis=1, keepdims=True)
    return np.asarray(taste / taste.std(axis=1, keepdims=True))
