"""Types, docstrings and commands as Markdown: what `generate.py` builds its pages from."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

_WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "any", NoneType: "null"}
_ENTRY = re.compile(r"^(?P<names>\w+(?:, \w+)*): (?P<text>.+)$")
_INDENT = 4


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table; `|` in cells is escaped, line breaks become spaces."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def code(value: object) -> str:
    """Returns inline code, or "" for an empty value."""
    text = str(value)
    return f"`{text}`" if text else ""


def toml(value: Any) -> str:
    """Returns a value as it stands in `bespeak.toml`."""
    plain = msgspec.to_builtins(value)
    if isinstance(plain, Mapping):
        entries = ", ".join(f"{_key(name)} = {toml(part)}" for name, part in plain.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(plain, list | tuple):
        return "[" + ", ".join(toml(part) for part in plain) + "]"
    return "" if plain is None else json.dumps(plain, ensure_ascii=False)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)


def meaning(hint: Any) -> str:
    """Returns the description that an annotation carries."""
    return next((m.description for m in getattr(hint, "__metadata__", ()) if isinstance(m, Meta) and m.description), "")


_ABSENT = (NoneType, msgspec.UnsetType)


def type_text(hint: Any, link: Callable[[type], str] | None = None) -> str:
    """Returns a type in words, with its bounds; `link` names structures."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is None:
        return _plain_type(hint, link)
    if origin is Annotated:
        bounds = [text for meta in parts[1:] if isinstance(meta, Meta) for text in _bounds(meta)]
        return type_text(parts[0], link) + (f" ({', '.join(bounds)})" if bounds else "")
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(type_text(part, link) for part in parts if part not in _ABSENT))
    if origin is Literal:
        return " or ".join(code(toml(value)) for value in parts)
    return f"table of name -> {type_text(parts[1], link)}" if origin is dict else f"list of {type_text(parts[0], link)}"


def _plain_type(hint: Any, link: Callable[[type], str] | None) -> str:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return link(hint) if link is not None else hint.__name__
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return " or ".join(code(member.value) for member in hint)
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _bounds(meta: Meta) -> Iterator[str]:
    for text, value in (
        ("from {}", meta.ge),
        ("above {}", meta.gt),
        ("to {}", meta.le),
        ("at least {} long", meta.min_length),
        ("at most {} long", meta.max_length),
    ):
        if value is not None:
            yield text.format(value)
    if meta.pattern is not None:
        yield f"matches {code(meta.pattern)}"


def attribute_texts(kind: type) -> dict[str, str]:
    """Returns what the "Attributes:" or "Args:" part of a docstring says about each name."""
    found: dict[str, str] = {}
    names: list[str] = []
    is_inside = False
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        if line in ("Attributes:", "Args:"):
            is_inside = True
        elif line and not line.startswith(" "):
            is_inside = False
        elif is_inside and line.strip():
            entry = _ENTRY.match(line.strip())
            if entry and len(line) - len(line.lstrip()) == _INDENT:
                names = entry["names"].split(", ")
                found.update(dict.fromkeys(names, entry["text"]))
            else:
                found.update({name: f"{found[name]} {line.strip()}" for name in names})
    return found


def first_line(kind: Any) -> str:
    """Returns the first line of a docstring."""
    return (inspect.getdoc(kind) or "").split("\n")[0]


def fields_table(kind: type[msgspec.Struct], link: Callable[[type], str] | None = None, *, is_toml: bool = True) -> str:
    """Returns the fields of a structure: name, type, default, meaning."""
    hints = get_type_hints(kind, include_extras=True)
    texts = attribute_texts(kind)
    rows = []
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        if kind.__name__ == "SignalClass" and field.name == "name":
            continue  # the table's own name
        text = meaning(hint) or texts.get(field.name, "")
        rows.append((code(field.encode_name), type_text(hint, link), _default(field, is_toml=is_toml), text))
    return table(("name", "type", "default", "meaning"), rows)


def _default(field: Any, *, is_toml: bool) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or value is msgspec.UNSET:
        return ""
    return code(toml(value) if is_toml else json.dumps(msgspec.to_builtins(value)))


def structures(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Yields the structures that a type names, itself first."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for hint in get_type_hints(kind, include_extras=True).values():
            yield from structures(hint)
    else:
        for part in get_args(kind):
            yield from structures(part)


def raised_codes(source: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yields (class, HTTP status or "", code, message) of every error that the sources raise with a code of its own."""
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            values, status = list(node.args), ""
            if node.func.id == "Failure" and len(values) == len(("status", "code", "message")):
                status, given["code"] = ast.unparse(values[0]), values[1]
                values = values[2:]
            named = given.get("code")
            if isinstance(named, ast.Constant) and isinstance(named.value, str) and values:
                yield node.func.id, status, named.value, _message(values[0])


def _message(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""
