"""Pages on how to talk to Bespeak: commands, HTTP, errors, metrics, checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from bespeak import errors
from bespeak.cli.app import program
from bespeak.cli.on_demand import with_all
from bespeak.engine.checks import CHECKS
from bespeak.serve import metrics
from bespeak.serve.replies import ErrorBody, status_of
from bespeak.serve.routes import CLOCK_ROUTES, ROUTES
from from_code.describing import (
    code,
    fields_table,
    first_line,
    raised_codes,
    structures,
    table,
    type_text,
)

OTHER_ROUTES = {
    "/v1/{t,p,i,s,g,a}": "POST, write key: one event each: track, page, identify, screen, group, alias",
    "/v1/projects/{key}/settings": "GET: what analytics.js asks for; sends its traffic here",
    "/bespeak.js": "GET: the [browser script](../how-to/browser-script.md)",
    "/ofrep/v1/events": "GET: tells a client of [OpenFeature](../how-to/openfeature.md) to ask again; the ticket is in "
    "the answer to a bulk evaluation",
    "/sub/{client_key}": "GET: tells an SDK of [GrowthBook](../how-to/growthbook.md) to fetch the features again",
    "/metrics": "GET: [metrics](metrics.md) for Prometheus",
    "/api": "GET: the list of routes",
    "/api/openapi.json": "GET: the OpenAPI document",
    "/": "GET: says that the server runs",
}
"""Routes that stand outside the table because they answer no JSON of ours; a test compares them with the server's."""


def command_line() -> str:
    """Every command with its options."""
    parts = [
        "# Command line\n\n"
        + (inspect.getdoc(import_module("bespeak.cli.app")) or "")
        + "\n\nCommands act on the project folder they stand in, or on `--project DIR`. Data goes to stdout; notes, "
        "progress and errors go to stderr. With `--json`, stdout is exactly one JSON document."
    ]
    parts.extend(_commands(with_all(program()), "bespeak"))
    return "\n\n".join(parts)


def _commands(command: Any, path: str) -> Iterator[str]:
    nested = getattr(command, "commands", None)
    if nested is not None and path != "bespeak":
        yield f"## {path}\n\n{command.help}"
    if nested is None:
        depth = "##" if path.count(" ") == 1 else "###"
        usage = " ".join([path, *(_argument(p) for p in command.params if p.param_type_name == "argument")])
        rows = [(_option(p), _values(p), p.help or "") for p in command.params if not p.hidden]
        text = f"{depth} {path}\n\n{command.help}\n\n```text\n{usage} [OPTIONS]\n```"
        yield text + ("\n\n" + table(("parameter", "value", "meaning"), rows) if rows else "")
        return
    for name, inner in nested.items():
        yield from _commands(inner, f"{path} {name}")


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _option(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    return code(_argument(parameter)) if is_argument else ", ".join(code(name) for name in parameter.opts)


def _values(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    text = type_text(parameter.type_descriptor.annotation)
    if text not in ("text", "integer", "number") and not text.startswith("`"):
        text = parameter.metavar or "text"
    if parameter.multiple:
        text += ", repeatable"
    default = parameter.default
    return f"{text}; {code(default)} unless given" if default not in (None, "", False) else text


def http_api() -> str:
    """Every route with its bodies."""
    shapes: dict[str, type[msgspec.Struct]] = {}

    def link(kind: type) -> str:
        shapes[kind.__name__] = kind
        return f"[{kind.__name__}](#{kind.__name__.lower()})"

    parts = [
        "# HTTP API\n\nA running server describes itself at `/api` and `/api/openapi.json` (OpenAPI 3.1). Success is "
        '200 with JSON. Every error has one shape, `{"code": …, "message": …}`: see [errors](errors.md).',
        "## Keys\n\nA key goes as the user of HTTP Basic (`curl -u KEY:`), as a Bearer token, or as `X-Write-Key`. A "
        "person token goes as `X-Person-Token`; it proves one user id ([how to sign one]"
        "(../how-to/person-tokens.md)).\n\n"
        + table(
            ("key", "may"),
            [
                ("write key of a browser source", "track; decide for an `anonymousId`, or with a person token for it"),
                ("key of a server source", "track, and confirm that ids belong together; reads nothing"),
                ("person token", "read the person's own profile and decisions; decide for them"),
                ("secret key", "everything"),
            ],
        ),
    ]
    parts += [*(_route(route, link) for route in ROUTES), *(_clock_route(route, link) for route in CLOCK_ROUTES)]
    parts.append(_other_routes())
    for kind in [
        inner
        for route in (*ROUTES, *CLOCK_ROUTES)
        for t in (route.request, route.reply)
        if t
        for inner in structures(t)
    ]:
        shapes.setdefault(kind.__name__, kind)
    listed = [f"### {k.__name__}\n\n{first_line(k)}\n\n{fields_table(k, link, is_toml=False)}" for k in shapes.values()]
    return "\n\n".join([*parts, "## Shapes", *listed])


def _route(route: Any, link: Callable[[type], str]) -> str:
    text = f"## {route.method} {route.path}\n\n{route.summary}.\n\nWho may call: {route.who}."
    if route.query:
        text += f" Query: {', '.join(code(name) for name in route.query)}."
    if route.request is not None:
        text += f" Body: {link(route.request)}."
    return text + (f" Answer: {link(route.reply)}." if route.reply is not None else "")


def _clock_route(route: Any, link: Callable[[type], str]) -> str:
    return f"{_route(route, link)} Only where the server was started with `--virtual-clock`."


def _other_routes() -> str:
    return "## Other addresses\n\n" + table(
        ("address", "what"), [(code(path), text) for path, text in OTHER_ROUTES.items()]
    )


def error_codes() -> str:
    """The tree of errors and every code."""
    tree = (errors.__doc__ or "").split("\n\n")[1]
    found = set(raised_codes(Path(errors.__file__).parent))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BespeakError)]
    own = [(code(k.code), k.__name__, _status(k, k.code), first_line(k)) for k in kinds if k is not errors.BespeakError]
    rejects: dict[str, list[str]] = {}
    for kind, _, word, message in sorted(found):
        if kind == "EventRejected":
            rejects.setdefault(word, []).append(message if message.strip("….") else "a field has the wrong type")
    others = {
        (c, status or _status(getattr(errors, kind), c), message)
        for kind, status, c, message in found
        if kind != "EventRejected" and (status or hasattr(errors, kind))
    }
    return "\n\n".join(
        [
            "# Errors and reasons for rejects",
            f"{first_line(errors)}\n\n```text\n{inspect.cleandoc(tree)}\n```",
            'Over HTTP every error is `{"code": …, "message": …}`; the message ends with what to do next.',
            table(("code", "class", "HTTP status", "meaning"), own),
            "## Reasons for rejects\n\nAn event that cannot be taken in is kept under one of these reasons "
            "(`bespeak rejects list`); its neighbours in the batch are taken in.\n\n"
            + table(("reason", "what is wrong"), [(code(c), " / ".join(said)) for c, said in rejects.items()]),
            "## Other codes\n\n"
            + table(("code", "HTTP status", "message"), [(code(c), *rest) for c, *rest in sorted(others)]),
            "## Shape\n\n" + fields_table(ErrorBody, is_toml=False),
        ]
    )


def _status(kind: type[errors.BespeakError], word: str) -> str:
    made = kind.__new__(kind)
    made.code = word
    return str(status_of(made))


def metric_names() -> str:
    """Every metric."""
    documented = [value for value in vars(metrics).values() if hasattr(value, "_documentation")]
    found = list({metric._name: metric for metric in reversed(documented)}.values())[::-1]  # one of a value by label
    rows = [
        (
            code(m._name + ("_total" if m._type == "counter" else "")),
            m._type,
            ", ".join(m._labelnames),
            m._documentation,
        )
        for m in found
    ]
    return (
        "# Metrics\n\n`GET /metrics` in the text format of Prometheus, added up over the workers of one server. "
        "No label holds an id.\n\n" + table(("metric", "type", "labels", "meaning"), rows)
    )


def doctor() -> str:
    """Every check of `bespeak doctor`."""
    rows = [(check.__name__.replace("_", " "), first_line(check)) for check in CHECKS]
    return (
        "# Checks of bespeak doctor\n\nEach passes, warns or fails, and says what to do. The exit status is 1 when one "
        "fails.\n\n" + table(("check", "passes when"), rows)
    )
