"""Write a rule as a condition that GrowthBook's SDKs evaluate themselves, on the attributes that a site gives them.

Their conditions know two truth values and read a missing attribute in several ways (as null, 0 or "null", which differs
between SDKs); ours know three. So each node is written twice, as the condition for "it is true" and for "it is false",
and every comparison asks for the attribute's type first: what is missing or of another type is neither.

Only what is sure to mean the same in every SDK is written: attributes compared to constants, IN, LIKE without `_`,
IS NULL, IS TRUE, AND, OR and NOT. Profiles, functions, times and `now()` are not known to an SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bespeak.errors import RuleError
from bespeak.rules.nodes import (
    And,
    Column,
    Compare,
    Context,
    Function,
    In,
    IsNull,
    IsTruth,
    Kind,
    Like,
    Literal,
    Node,
    Not,
    Or,
    ProfileCall,
    SameTruth,
    walk,
)
from bespeak.rules.rule import Rule

Condition = dict[str, Any]

ALWAYS: Condition = {}
NEVER: Condition = {"$not": {}}

_TYPES = {Kind.NUMBER: "number", Kind.TEXT: "string", Kind.BOOLEAN: "boolean"}
_OPERATORS = {"=": "$eq", "!=": "$ne", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_SPECIAL = frozenset("\\^$.|?*+()[]{}/")


class Attribute(NamedTuple):
    """What an SDK knows a context name as.

    Attributes:
        path: of the attribute, with dots.
        may_be_empty: whether an empty text is a text; otherwise it counts as missing.
    """

    path: str
    may_be_empty: bool = False


def condition(rule: Rule, attributes: Mapping[str, Attribute]) -> Condition:
    """Returns the condition that holds exactly where a rule does.

    Args:
        rule: reads nothing but context names.
        attributes: context name -> the SDK's attribute.

    Raises:
        RuleError: the rule names something that an SDK does not know, or says something that SDKs read differently.

    Example:
        >>> from bespeak.rules import ColumnType, Schema, parse
        >>> names = Schema({}, context={"plan": ColumnType.TEXT, "seats": ColumnType.NUMBER})
        >>> condition(parse("seats >= 3", names), {"seats": Attribute("seats")})
        {'seats': {'$type': 'number', '$gte': 3.0}}
        >>> condition(parse("NOT plan = 'pro'", names), {"plan": Attribute("plan")})
        {'plan': {'$type': 'string', '$nin': ['', 'pro']}}
    """
    return _Writer(attributes).when(rule.tree, True)


class _Writer:
    def __init__(self, attributes: Mapping[str, Attribute]) -> None:
        self._attributes = attributes

    def when(self, node: Node, truth: bool) -> Condition:
        """Returns the condition for a boolean node being TRUE, or being FALSE."""
        match node:
            case Literal():
                found = ALWAYS if node.value is truth else NEVER
            case Context(kind=Kind.BOOLEAN):
                found = self._asked(node, {"$eq": truth})
            case Compare():
                found = self._compare(node, truth)
            case In():
                found = self._in(node, truth)
            case Like():
                found = self._like(node, truth)
            case IsNull():
                is_there = self._asked(self._name(node.operand), {})
                found = {"$not": is_there} if truth else is_there
            case IsTruth():
                holds = self.when(node.operand, node.value)
                found = holds if truth else {"$not": holds}
            case Not():
                found = self.when(node.operand, not truth)
            case And() | Or():
                word = "$and" if isinstance(node, And) is truth else "$or"
                found = {word: [self.when(operand, truth) for operand in node.operands]}
            case SameTruth():
                found = self._same(node, truth)
            case _:
                raise _unknown(node)
        return found

    def _compare(self, node: Compare, truth: bool) -> Condition:
        op, left, right = node.op, node.left, node.right
        if isinstance(left, Literal):
            op, left, right = _MIRRORED[op], right, left
        if not isinstance(right, Literal):
            raise _unknown(right)
        name = self._name(left)
        if right.value is None:
            return NEVER
        if not truth:
            op = _OPPOSITE[op]
        if name.kind is Kind.TEXT and op not in ("=", "!=") and not str(right.value).isascii():
            raise RuleError("SDKs order texts beyond ASCII in different ways.", hint="Compare with = or IN.")
        return self._asked(name, {_OPERATORS[op]: right.value})

    def _in(self, node: In, truth: bool) -> Condition:
        name = self._name(node.operand)
        if truth:
            return self._asked(name, {"$in": list(node.values)})
        return NEVER if node.has_null else self._asked(name, {"$nin": list(node.values)})

    def _like(self, node: Like, truth: bool) -> Condition:
        name = self._name(node.operand)
        if node.pattern is None:
            return NEVER
        if node.ignores_case or "_" in node.pattern:
            raise RuleError("SDKs read ILIKE and `_` in different ways.", hint="Use LIKE with % only.")
        matches = {"$regex": _regex(node.pattern)}
        return self._asked(name, matches if truth else {"$not": matches})

    def _same(self, node: SameTruth, truth: bool) -> Condition:
        pairs = [(True, True), (False, False)] if truth else [(True, False), (False, True)]
        return {"$or": [{"$and": [self.when(node.left, a), self.when(node.right, b)]} for a, b in pairs]}

    def _name(self, node: Node) -> Context:
        if isinstance(node, Context) and node.kind in _TYPES and node.name in self._attributes:
            return node
        raise _unknown(node)

    def _asked(self, name: Context, test: Condition) -> Condition:
        """Returns a test of an attribute that is there and of the right type."""
        if name.name not in self._attributes:
            raise _unknown(name)
        path, may_be_empty = self._attributes[name.name]
        asked = {"$type": _TYPES[name.kind], **test}
        if name.kind is Kind.TEXT and not may_be_empty:
            refused = asked.pop("$nin", [asked.pop("$ne")] if "$ne" in asked else [])
            asked["$nin"] = list(dict.fromkeys(["", *refused]))
        return {path: asked}


def _regex(pattern: str) -> str:
    """Returns a LIKE pattern as a regular expression that JavaScript and Python read alike."""
    parts = ("".join("\\" + c if c in _SPECIAL else c for c in part) for part in pattern.split("%"))
    return "^" + r"[\s\S]*".join(parts) + r"(?![\s\S])"


def _unknown(node: Node) -> RuleError:
    named = next((part for part in walk(node) if isinstance(part, Column | Context | Function | ProfileCall)), None)
    match named:
        case None:
            what = "a part of the rule"
        case ProfileCall():
            what = str(named.call)
        case _:
            what = f"`{named.name}`"
    return RuleError(f"An SDK cannot evaluate {what} by itself.", hint="Use remote evaluation.")
