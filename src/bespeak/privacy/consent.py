"""The consent gate: which purposes hold for an event, and what a consent statement changes.

A person's own word beats everything; before it, the source's default holds. An event that carries
`context.consent.categoryPreferences` makes a complete statement: a purpose is granted when all categories that mean it
are true, and every other purpose but `essential` is denied. A category named like a purpose means that purpose; others
are mapped by the project; an unmapped one grants nothing. `Sec-GPC: 1` denies `share`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bespeak.errors import ConfigError
from bespeak.signals.purposes import BUILT_IN, ESSENTIAL, SHARE, Purposes


class ConsentState(msgspec.Struct, frozen=True):
    """A person's word on one purpose, as recorded."""

    is_granted: bool
    time_ms: int


class ConsentRules:
    """How statements are read in one project.

    Args:
        purposes: the project's purposes.
        categories: category -> purposes it means, on top of those named like a purpose.
        defaults: source name -> purposes that hold before a person has spoken.

    Example:
        >>> rules = ConsentRules(Purposes(), {"Marketing": ["personalize", "share"]}, {"web": ["essential"]})
        >>> sorted(p for p, yes in rules.statement({"Marketing": True, "Other": True}).items() if yes)
        ['personalize', 'share']
    """

    def __init__(
        self, purposes: Purposes, categories: Mapping[str, Sequence[str]], defaults: Mapping[str, Sequence[str]]
    ) -> None:
        self.purposes = purposes
        self._means: dict[str, frozenset[str]] = {name: frozenset({name}) for name in purposes.all if name != ESSENTIAL}
        for category, meant in categories.items():
            for purpose in meant:
                purposes.bit(purpose)
            if category in BUILT_IN and set(meant) != {category}:
                raise ConfigError(
                    f"the category '{category}' is named like a purpose and always means it.",
                    key=f"consent.categories.{category}",
                    hint="Rename the category in the consent banner, or remove this mapping.",
                )
            self._means[category] = frozenset(meant)
        self._defaults = {source: purposes.mask(names) | purposes.essential for source, names in defaults.items()}
        self._share = purposes.share
        self._anywhere = purposes.essential
        for mask in self._defaults.values():
            self._anywhere |= mask

    def statement(self, preferences: Mapping[str, bool]) -> dict[str, bool]:
        """Returns purpose -> granted for every purpose but `essential`: what the preferences say, completely."""
        granted = {name: False for name in self.purposes.all if name != ESSENTIAL}
        denied: set[str] = set()
        for category, is_yes in preferences.items():
            for purpose in self._means.get(category, ()):
                if is_yes is True:
                    granted[purpose] = True
                else:
                    denied.add(purpose)
        for purpose in denied:
            granted[purpose] = False
        return granted

    def default(self, source: str) -> int:
        """Returns the mask that holds for a source before a person has spoken; `essential` for an unknown source."""
        return self._defaults.get(source, self.purposes.essential)

    def widest_default(self) -> int:
        """Returns the mask of what any source starts with: nothing else can have come in without a person's word."""
        mask = self.purposes.essential
        for default in self._defaults.values():
            mask |= default
        return mask

    def granted(self, source: str, recorded: Mapping[str, bool], is_gpc: bool = False) -> int:
        """Returns the mask that holds for a person: their recorded word over the source's default."""
        return self.over(self.default(source), recorded, is_gpc=is_gpc)

    def over(self, default: int, recorded: Mapping[str, bool], *, is_gpc: bool = False) -> int:
        """Returns a person's recorded word over a default mask; `essential` always holds."""
        mask = default
        for purpose, is_granted in recorded.items():
            bit = self.purposes.bit(purpose)
            mask = mask | bit if is_granted else mask & ~bit
        if is_gpc:
            mask &= ~self._share
        return mask | self.purposes.essential

    def changes(
        self, recorded: Mapping[str, bool], preferences: Mapping[str, bool] | None, is_gpc: bool
    ) -> dict[str, bool]:
        """Returns purpose -> granted where an event's statement says something that is not recorded yet.

        A grant is always remembered: it is the proof. A refusal is where some source of the project would grant the
        purpose without a word: it holds wherever the person is met next. What was said already is not recorded again.
        """
        said = self.statement(preferences) if preferences is not None else {}
        if is_gpc:
            said[SHARE] = False
        return {purpose: yes for purpose, yes in said.items() if self._is_news(purpose, yes, recorded.get(purpose))}

    def _is_news(self, purpose: str, is_granted: bool, recorded: bool | None) -> bool:
        if recorded is not None:
            return recorded != is_granted
        return is_granted or bool(self._anywhere & self.purposes.bit(purpose))

    def unmapped(self, preferences: Mapping[str, bool]) -> list[str]:
        """Returns the categories that mean nothing in this project, for `doctor`."""
        return sorted(set(preferences) - set(self._means) - {ESSENTIAL})
