"""The OpenAPI document, made from the route table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bespeak.serve.routes import Route
from bespeak.serve.shapes import ID_TEXT, EventShape, ItemShape, PatchShape

# Parts of bodies that other packages read: (type of the body, its field, what each entry looks like).
_ENTRIES: tuple[tuple[str, str, str, type[Any]], ...] = (
    ("TrackBody", "batch", "items", EventShape),
    ("ItemsBody", "items", "items", ItemShape),
    ("PatchBody", "items", "additionalProperties", PatchShape),
)
_ID = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": ID_TEXT}
_PARAMETER = re.compile(r"\{(\w+)\}")
_ERRORS = {
    "400": "The request is wrong; the message says what and what is allowed.",
    "401": "The key or token is missing or unknown.",
    "403": "The key does not allow this.",
    "404": "There is no such thing.",
    "413": "The body is too large.",
    "429": "Load is being shed; retry after the header's seconds.",
    "503": "The store cannot be reached; nothing was acknowledged.",
}


def document(
    routes: Sequence[Route],
    *,
    version: str,
    placements: Sequence[str],
    rows: Sequence[str],
    pages: Sequence[str],
    markets: Sequence[str],
) -> dict[str, Any]:
    """Returns the document; the placements and pages of the active configuration and the markets are the allowed names.

    Args:
        routes: the route table.
        version: of the package.
        placements: names for a decision.
        rows: those that may be rows of a page.
        pages: names for a page.
        markets: those that items have.
    """
    types = [t for route in routes for t in (route.request, route.reply) if t is not None]
    types += [*(route.errors for route in routes), *(shape for *_, shape in _ENTRIES)]
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for body, name, keyword, shape in _ENTRIES:
        if body in components:
            components[body]["properties"][name][keyword] = _ref(shape)
    names = (
        ("DecideBody", "placement", placements),
        ("DecisionsBody", "placement", rows),
        ("RowBody", "placement", rows),
        ("PageBody", "page", pages),
    )
    for body, name, allowed in names:
        if body in components:
            components[body]["properties"][name] = {"type": "string", "enum": list(allowed)}
    for body in ("DecideBody", "PageBody", "SearchBody"):
        if body in components:
            components[body]["properties"]["market"] = {"enum": [None, *markets], "default": None}
    if "PageBody" in components:
        given = components["PageBody"]["properties"]["placements"]  # one of the two, and null is neither
        components["PageBody"]["properties"]["placements"] = next(one for one in given["anyOf"] if "items" in one)
        components["PageBody"]["oneOf"] = [{"required": ["page"]}, {"required": ["placements"]}]
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bespeak", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "a write key or a secret key"},
                "basicKey": {"type": "http", "scheme": "basic", "description": "the key as user, no password"},
                "personToken": {"type": "apiKey", "in": "header", "name": "X-Person-Token"},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    reply: dict[str, Any] = {"type": "object"} if route.reply is None else _ref(route.reply)
    operation: dict[str, Any] = {
        "summary": route.summary,
        "description": f"Who may call: {route.who}.",
        "operationId": f"{route.method.lower()}{re.sub(r'[^A-Za-z]+', '_', route.path)}".rstrip("_"),
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": reply}}},
            **{
                status: {"description": text, "content": {"application/json": {"schema": _ref(route.errors)}}}
                for status, text in _ERRORS.items()
            },
        },
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _ID} for name in _PARAMETER.findall(route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": _query_schema(name)} for name in route.query
    ]
    if route.has_tag:
        operation["responses"]["304"] = {"description": "What the client holds (If-None-Match) is still right."}
    if parameters:
        operation["parameters"] = parameters
    if route.request is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(route.request)}}}
    if route.who not in ("anybody", "write key in the address"):
        operation["security"] = [{"key": []}, {"basicKey": []}]
        if "person" in route.who:
            operation["security"].append({"personToken": []})
    return operation


def _query_schema(name: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": 1000} if name == "limit" else {**_ID, "minLength": 0}


def _ref(kind: type[Any]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
