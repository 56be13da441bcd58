"""Experiments as the file declares them, compiled: arms as policies, weights, conditions, metrics, times."""

from __future__ import annotations

from collections.abc import Mapping

from bespeak.decide.settings.placements import Placement, varied
from bespeak.decide.trial import INTERLEAVED, Policy, Trial
from bespeak.decide.variants.settings import VariantPlacement, varied_variant
from bespeak.decide.variants.when import Names
from bespeak.engine.settings import ArmSettings, ExperimentSettings
from bespeak.errors import ConfigError, EventRejected, InvalidInput, RuleError, UnknownName
from bespeak.intake.times import parse_time_ms
from bespeak.measure.assignment import Experiment, Namespace
from bespeak.measure.metrics import Metric
from bespeak.rules import Rule, parse

_LAUNCHES = ("-launch", "-holdout")
"""Ends of the names of what compares a placement without being in the file."""

_ORDERING = ("sources", "weights", "facets", "learn")
"""Settings of a policy that say in which order items stand, and not which may stand together."""


def compile_trials(
    experiments: Mapping[str, ExperimentSettings],
    placements: Mapping[str, Placement | VariantPlacement],
    metrics: Mapping[str, Metric],
    names: Names,
) -> dict[str, Trial]:
    """Returns the experiments by name; their policies have no version yet.

    Args:
        experiments: as they stand in the file.
        placements: those that they may run on.
        metrics: those that they may name.
        names: what a condition may name.

    Raises:
        ConfigError: with the key, what is wrong and what is allowed.
    """
    return {name: _trial(name, settings, placements, metrics, names) for name, settings in sorted(experiments.items())}


def trial_named(trials: Mapping[str, Trial], name: str) -> Trial:
    """Returns an experiment of the file.

    Raises:
        UnknownName: there is no such experiment.
        InvalidInput: it is a placement's launch, which decisions name and the file does not.
    """
    found = trials.get(name)
    if found is not None:
        return found
    if name.endswith(_LAUNCHES):
        raise InvalidInput(
            f"'{name}' is no experiment of bespeak.toml, but how a placement is compared from its first day.",
            hint="`bespeak report` tells what it brought; the placement's `launch` says how many take part.",
        )
    raise UnknownName("experiment", name, sorted(trials))


def _trial(
    name: str,
    settings: ExperimentSettings,
    placements: Mapping[str, Placement | VariantPlacement],
    metrics: Mapping[str, Metric],
    names: Names,
) -> Trial:
    key = f"experiments.{name}"
    placement = placements.get(settings.placement)
    if placement is None:
        raise ConfigError(
            f"there is no placement '{settings.placement}'.",
            key=f"{key}.placement",
            hint=f"Known: {', '.join(sorted(placements))}.",
        )
    if name.endswith(_LAUNCHES):
        raise ConfigError("names that end so are those of launches.", key=key, hint="Take another name.")
    _check_metrics(settings, metrics, key)
    _check_kind(settings, key)
    if isinstance(placement, VariantPlacement) and settings.kind == "interleave":
        raise ConfigError("only items can be interleaved.", key=f"{key}.kind", hint="Allowed here: ab, aa.")
    segments = [segment.name for segment in names.segments]
    for segment in settings.subgroups:
        if segment not in segments:
            hint = f"Segments: {', '.join(segments) or 'none'}."
            raise ConfigError(f"there is no segment '{segment}'.", key=f"{key}.subgroups", hint=hint)
    condition = _condition(settings.condition, names, f"{key}.condition")
    return Trial(
        name=name,
        placement=settings.placement,
        kind=settings.kind,
        spread=_spread(name, settings, key),
        arms={
            variant: _policy(placement, arm, names, f"{key}.variants.{variant}")
            for variant, arm in settings.variants.items()
        },
        condition=condition,
        segments=() if condition is None else names.needed([condition]),
        start_ms=_time_ms(settings.start, f"{key}.start"),
        stop_ms=_time_ms(settings.stop, f"{key}.stop"),
    )


def arms_with_items(trials: Mapping[str, Trial]) -> dict[str, Placement]:
    """Returns the settings of every arm that shows items, by experiment and arm, for the checks of filters."""
    return {
        f"{trial.placement} ({trial.name}: {variant})": policy.settings
        for trial in trials.values()
        for variant, policy in trial.arms.items()
        if policy is not None and isinstance(policy.settings, Placement)
    }


def _policy(placement: Placement | VariantPlacement, arm: ArmSettings, names: Names, key: str) -> Policy | None:
    if arm.incumbent:
        if arm.settings:
            hint = "Another system decides in that arm."
            raise ConfigError("the incumbent has no settings of ours.", key=f"{key}.settings", hint=hint)
        return None
    if isinstance(placement, VariantPlacement):
        return Policy(placement.name, varied_variant(placement, arm.settings, names, f"{key}.settings"))
    return Policy(placement.name, varied(placement, arm.settings, f"{key}.settings"))


def _check_metrics(settings: ExperimentSettings, metrics: Mapping[str, Metric], key: str) -> None:
    for setting, named in (
        ("primary", [settings.primary]),
        ("secondary", settings.secondary),
        ("guardrails", settings.guardrails),
    ):
        for metric in named:
            if metric not in metrics:
                known = ", ".join(metrics)
                raise ConfigError(f"there is no metric '{metric}'.", key=f"{key}.{setting}", hint=f"Known: {known}.")
            if metric == "roi" and not metrics[metric].cost:
                hint = "Set metrics.roi.cost: what treating one person costs; and metrics.roi.margin."
                raise ConfigError("a return on investment needs a cost.", key=f"{key}.{setting}", hint=hint)


def _check_kind(settings: ExperimentSettings, key: str) -> None:
    variants = settings.variants
    if len(variants) < 2:
        raise ConfigError("it needs two variants.", key=f"{key}.variants", hint="Give each a table of its own.")
    if settings.control and settings.control not in variants:
        raise ConfigError(
            f"there is no variant '{settings.control}'.", key=f"{key}.control", hint=f"Known: {', '.join(variants)}."
        )
    if settings.kind == "aa" and any(arm.settings or arm.incumbent for arm in variants.values()):
        raise ConfigError("nothing may differ in an A/A experiment.", key=f"{key}.variants", hint="Leave out settings.")
    if settings.kind != "interleave":
        return
    if len(variants) != 2 or INTERLEAVED in variants:
        raise ConfigError("an interleaving mixes two variants.", key=f"{key}.variants", hint="Give two.")
    for variant, arm in variants.items():
        others = [setting for setting in arm.settings if setting not in _ORDERING]
        if others or arm.incumbent:
            raise ConfigError(
                "an interleaved variant changes the order of items and nothing else.",
                key=f"{key}.variants.{variant}",
                hint=f"Allowed: {', '.join(_ORDERING)}.",
            )


def _spread(name: str, settings: ExperimentSettings, key: str) -> Experiment:
    given = [arm.weight for arm in settings.variants.values()]
    if any(weight is None for weight in given) and any(weight is not None for weight in given):
        raise ConfigError("some variants have a weight and some have none.", key=f"{key}.variants", hint="Give all.")
    weights = [1 / len(given) if weight is None else weight for weight in given]
    try:
        namespace = None
        if settings.namespace:
            namespace = Namespace(settings.namespace, *settings.namespace_range)
        variants = tuple(zip(settings.variants, weights, strict=True))
        return Experiment(name, variants, seed=settings.seed or name, coverage=settings.coverage, namespace=namespace)
    except InvalidInput as error:
        raise ConfigError(error.message, key=key, hint=error.hint) from None


def _condition(text: str, names: Names, key: str) -> Rule | None:
    if not text:
        return None
    try:
        return parse(text, names.schema(text))
    except RuleError as error:
        raise ConfigError(error.message, key=key, hint=error.hint) from None


def _time_ms(text: str, key: str) -> int | None:
    if not text:
        return None
    try:
        return parse_time_ms(text)
    except EventRejected as error:
        raise ConfigError(error.message, key=key, hint="Write 2026-03-01 or 2026-03-01T09:00:00Z.") from None
