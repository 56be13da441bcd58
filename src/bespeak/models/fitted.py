"""What every fitted model shares, whatever it foretells: settings as arguments, what it learned as arrays."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy.typing as npt

from bespeak.errors import InvalidInput

Arrays = Mapping[str, npt.NDArray[Any]]


class Fitted(ABC):
    """Settings, item ids and arrays: what an artefact stores. Subclasses are frozen dataclasses.

    Attributes:
        name: the word used in settings, artefacts and reports.
        holds_people: whether the fitted arrays hold single people. Ask the model, not its class.
        item_ids: the items known, position = index. Empty before a fit.
    """

    name: ClassVar[str]
    holds_people: ClassVar[bool] = False

    item_ids: Sequence[str] = ()
    _arrays: Arrays = MappingProxyType({})

    def settings(self) -> dict[str, Any]:
        """The constructor arguments, as plain JSON values."""
        return {setting.name: getattr(self, setting.name) for setting in fields(self)}  # type: ignore[arg-type]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The fitted parameters by name: all that `from_arrays` needs besides settings and item ids."""
        return dict(self._arrays)

    @classmethod
    def from_arrays(cls, settings: Mapping[str, Any], item_ids: Sequence[str], arrays: Arrays) -> Self:
        """The fitted model again. The arrays may be mapped read-only; they are never written to.

        Raises:
            InvalidInput: a setting that this model does not have.
        """
        try:
            model = cls(**settings)
        except TypeError as error:
            known = ", ".join(setting.name for setting in fields(cls))  # type: ignore[arg-type]
            raise InvalidInput(f"Wrong settings for the model '{cls.name}'.", hint=f"Known: {known}.") from error
        return model._fitted(item_ids, arrays)

    def _fitted(self, item_ids: Sequence[str], arrays: Arrays) -> Self:
        """A copy with the same settings that carries fitted parameters (settings themselves stay frozen)."""
        model = replace(self)  # type: ignore[type-var]
        object.__setattr__(model, "item_ids", item_ids)
        object.__setattr__(model, "_arrays", dict(arrays))
        return model

    def _array(self, name: str) -> npt.NDArray[Any]:
        """One fitted array.

        Raises:
            InvalidInput: the model is not fitted.
        """
        if name not in self._arrays:
            raise InvalidInput(f"The model '{self.name}' is not fitted.", hint="Call fit(...) first.")
        return self._arrays[name]
