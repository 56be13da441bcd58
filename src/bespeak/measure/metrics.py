"""Metrics of experiments, declared as data: which signals count, how, and in which window after the assignment.

A unit is a person, and its clock starts when it was first assigned. A metric is a share of people (`any` without
`per`), a mean over people, or a ratio of two sums over people (`per`). Each has the same figure from before the
assignment as its covariate (CUPED). Bots are out, and only signals count that may be used for measuring, then and now.

The lift of a metric is (with - without) / without; that of the engagement rate and of the conversion rate so too, both
being people who did it / people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bespeak.errors import ConfigError, RuleError, UnknownName
from bespeak.measure.sums import Sums
from bespeak.measure.words import Kind
from bespeak.rules import ColumnType, Rule, Schema, parse
from bespeak.storage.statistics import Aggregate, Figure, RawSums, SummedColumn, UnitValue, Wanted

DAY_MS = 86_400_000

SIGNAL_SCHEMA = Schema(
    {
        "event": ColumnType.TEXT,
        "signal": ColumnType.TEXT,
        "class": ColumnType.TEXT,
        "item": ColumnType.TEXT,
        "strength": ColumnType.NUMBER,
        "value": ColumnType.NUMBER,
        "amount": ColumnType.NUMBER,
        "decision": ColumnType.TEXT,
    }
)
"""What a metric's rule may name: name of the event, the catalogue's signal, its class, the item, strength, money in
major units of the project's currency, the catalogue's amount (seconds, a survey's answer), id of the decision."""

_SQL_COLUMNS = {
    "event": "name",
    "signal": "signal",
    "class": "signal_class",
    "item": "item_id",
    "strength": "strength",
    "value": "value",
    "amount": "amount",
    "decision": "decision_id",
}


class Metric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One metric of an experiment.

    Attributes:
        name: the word in `[metrics.NAME]` and in experiments.
        title: what people read; the name when left out.
        of: a rule over signals: which of them count.
        aggregate: what becomes of a person's: `any` (1 or 0), `count`, `events` (an order of three items is one),
            `days` (days with such a signal), `sum` of `column`.
        column: what `sum` adds: `value` (money, in major units of the project's currency), `strength`, or `amount`
            (seconds, a survey's answer).
        less: signals whose figure is taken off: refunds from what was paid.
        unless: whoever has such a signal counts 0: who paid has not left the cart.
        per: a rule; the metric is then the sum over people divided by the sum of what this one counts.
        per_aggregate: how `per` counts: `any`, `count` or `events`.
        after_days, window_days: signals from so many days after the assignment on, for so many days; 0 days of window
            is open. Of a metric with `after_days`, or `is_closed`, people count once their window has passed.
        is_closed: whether only people count whose window has passed.
        winsorise: quantile of the values that are not 0 above which they are lowered to it; 0 caps nothing.
        good: which way is better.
        margin: what of the metric is earned, as a share; for the return on investment.
        cost: of treating one person, in the metric's unit; above 0 gives the return on investment,
            (margin * difference - cost) / cost.
    """

    name: str = ""
    title: str = ""
    of: str = ""
    aggregate: Aggregate = "any"
    column: SummedColumn = "value"
    less: str = ""
    unless: str = ""
    per: str = ""
    per_aggregate: Literal["any", "count", "events"] = "count"
    after_days: Annotated[float, Meta(ge=0, le=3650)] = 0.0
    window_days: Annotated[float, Meta(ge=0, le=3650)] = 0.0
    is_closed: bool = False
    winsorise: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    good: Literal["up", "down"] = "up"
    margin: Annotated[float, Meta(gt=0, le=1)] = 1.0
    cost: Annotated[float, Meta(ge=0)] = 0.0

    @property
    def kind(self) -> Kind:
        """Share of people, mean over people, or ratio of two sums over people."""
        if self.per:
            return "ratio"
        return "proportion" if self.aggregate == "any" and not self.less else "mean"

    @property
    def is_money(self) -> bool:
        """Whether it adds up money: amounts in other currencies than the project's count 0."""
        return self.aggregate == "sum" and self.column == "value"

    @property
    def shown(self) -> str:
        """What people read."""
        return self.title or self.name.replace("_", " ")

    def wanted(self, pre_days: float = 0.0) -> Wanted:
        """Returns which sums the metric needs.

        Args:
            pre_days: length of the period before the assignment that the covariate is read from; 0 adjusts nothing.
        """
        after_ms, window_ms = round(self.after_days * DAY_MS), round(self.window_days * DAY_MS)
        span = (after_ms, after_ms + window_ms if window_ms else None)
        before = (-round(pre_days * DAY_MS), 0)
        waits = self.is_closed or after_ms > 0
        return Wanted(
            name=self.name,
            value=self._value(*span),
            per=self._per(*span),
            before=self._value(*before) if pre_days else None,
            before_per=self._per(*before) if pre_days else None,
            open_ms=after_ms + window_ms if waits else 0,
            winsor_quantile=self.winsorise,
        )

    def _value(self, from_ms: int, to_ms: int | None) -> UnitValue:
        def figure(rule: str, aggregate: Aggregate) -> Figure | None:
            return Figure(sql_of(rule), aggregate, self.column, from_ms, to_ms) if rule else None

        of = figure(self.of, self.aggregate)
        assert of is not None  # checked when the metric was read
        return UnitValue(of, figure(self.less, self.aggregate), figure(self.unless, "any"))

    def _per(self, from_ms: int, to_ms: int | None) -> UnitValue | None:
        if not self.per:
            return None
        return UnitValue(Figure(sql_of(self.per), self.per_aggregate, self.column, from_ms, to_ms))


_TURNED = "item IS NOT NULL AND class NOT IN ('exposure', 'delivery', 'refund')"
_CAME = "class NOT IN ('exposure', 'delivery', 'email', 'refund', 'demographic', 'experiment', 'consent')"
"""What takes somebody to come back for: mails are sent, opened by machines, and refunds booked without them."""

_ORDER, _CART = "class = 'purchase'", "class = 'cart'"
_PAID = f"{_ORDER} AND value > 0"
"""Orders that say what was paid, in the project's currency: any other would be divided by and add nothing."""

CONVERSION = "conversion_rate"
"""The metric that launches are judged by: a project says by its `of` what converts."""

ENGAGEMENT = "engagement_rate"

BUILT_IN: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(name=ENGAGEMENT, of=_TURNED),
            Metric(name=CONVERSION, of=_ORDER),
            Metric(name="orders", title="orders per visitor", of=_ORDER, aggregate="events"),
            Metric(
                name="click_rate", title="clicks per item shown", of="class = 'click' AND decision IS NOT NULL",
                aggregate="count", per="class = 'exposure'",
            ),
            Metric(name="order_value", of=_PAID, aggregate="sum", per=_PAID, per_aggregate="events"),
            Metric(
                name="revenue", title="revenue per visitor", of=_ORDER, aggregate="sum", less="class = 'refund'",
                winsorise=0.999,
            ),
            Metric(
                name="watch_time", title="seconds watched or read per visitor", of="class IN ('watch', 'read')",
                aggregate="sum", column="amount", winsorise=0.999,
            ),
            Metric(name="retention", title="came back in the second week", of=_CAME, after_days=7,
                   window_days=7),
            Metric(
                name="return_rate", title="refunds per order", of="class = 'refund'", aggregate="events", per=_ORDER,
                per_aggregate="events", good="down",
            ),
            Metric(
                name="cart_abandonment", title="carts left without an order", of=_CART, unless=_ORDER, per=_CART,
                per_aggregate="any", good="down",
            ),
            Metric(name="referrals", title="shares per visitor", of="class = 'share'", aggregate="events"),
            Metric(
                name="satisfaction", title="answer of satisfaction surveys", of="class = 'survey' AND amount >= 0",
                aggregate="sum", column="amount", per="class = 'survey' AND amount >= 0",
            ),
            Metric(
                name="lifetime_value", title="revenue of the first half year", of=_ORDER, aggregate="sum",
                less="class = 'refund'", window_days=182, is_closed=True, winsorise=0.999,
            ),
            Metric(
                name="roi", title="revenue per visitor, for the return", of=_ORDER, aggregate="sum",
                less="class = 'refund'",
            ),
        )
    }
)  # fmt: skip
"""Metrics that every project has."""


def metrics_from(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Metric]:
    """Returns the built-in metrics with a project's own settings on top, and the project's own metrics.

    Args:
        sections: metric name -> its settings as they stand in the file; `like` names the metric they start from.

    Raises:
        ConfigError: an unknown setting, a value out of range, or a wrong rule; with its key.

    Example:
        >>> found = metrics_from({"audio": {"like": "orders", "of": "class = 'purchase' AND item LIKE 'audio-%'"}})
        >>> found["audio"].kind, found["conversion_rate"].kind, found["order_value"].kind
        ('mean', 'proportion', 'ratio')
    """
    metrics = dict(BUILT_IN)
    for name, section in sections.items():
        metrics[name] = _metric(name, dict(section), metrics)
    return metrics


def _metric(name: str, section: dict[str, Any], known: Mapping[str, Metric]) -> Metric:
    key = f"metrics.{name}"
    base = known.get(name, Metric())
    if "like" in section:
        like = section.pop("like")
        if like not in known:
            raise ConfigError(f"'{like}' is no metric.", key=f"{key}.like", hint=f"Allowed: {', '.join(known)}.")
        base = msgspec.structs.replace(known[like], title="")
    allowed = [setting for setting in Metric.__struct_fields__ if setting != "name"]
    for setting in section:
        if setting not in allowed:
            hint = UnknownName("setting", setting, [*allowed, "like"], limit=len(allowed) + 1).hint
            raise ConfigError(f"there is no setting '{setting}'.", key=key, hint=hint)
    try:
        metric = msgspec.convert({**msgspec.to_builtins(base), **section, "name": name}, Metric)
    except msgspec.ValidationError as error:
        raise ConfigError.of_value(error, key=key, hint="See the page on metrics for every setting.") from None
    if not metric.of:
        raise ConfigError("it counts nothing.", key=f"{key}.of", hint="Give a rule over signals: \"class = 'like'\".")
    if (metric.after_days or metric.is_closed) and not metric.window_days:
        raise ConfigError("it needs a window.", key=f"{key}.window_days", hint="Say for how many days it looks.")
    for part in ("of", "less", "unless", "per"):
        text = getattr(metric, part)
        if text:
            _check_rule(text, f"{key}.{part}")
    return metric


def _check_rule(text: str, key: str) -> Rule:
    try:
        rule = parse(text, SIGNAL_SCHEMA)
    except RuleError as error:
        raise ConfigError(error.message, key=key, hint=error.hint) from None
    if rule.uses_now:
        raise ConfigError("a metric's rule cannot ask for now().", key=key, hint="Use window_days and after_days.")
    return rule


def sql_of(text: str) -> str:
    """Returns a metric's rule as a condition over the lake's signals."""
    return parse(text, SIGNAL_SCHEMA).sql(_SQL_COLUMNS.__getitem__)


TURNED_TO = sql_of(_TURNED)
"""What people did with items themselves, as a condition over the lake's signals: what `engagement_rate` counts."""


def sums_of(raw: RawSums, wanted: Wanted, *, is_adjusted: bool) -> Sums:
    """Returns what a database summed as `Sums`; without the covariate unless `is_adjusted`."""
    k = 4 if is_adjusted and wanted.before is not None else 2
    return Sums.from_totals(raw.n, raw.totals[:k], [row[:k] for row in raw.products[:k]])


def has_past(raws: Sequence[RawSums]) -> bool:
    """Whether every group's covariate has a denominator and varies anywhere, so that it can adjust."""
    return all(raw.totals[3] > 0 for raw in raws) and any(raw.products[2][2] > 0 for raw in raws)
