"""A project folder: `bespeak.toml`, `data/` (store, lake, models, erasures) and `keys/`.

`create` writes the commented file: every setting with its default, unit and meaning, taken from the types in
`settings`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import Meta

from bespeak.engine.settings import (
    Section,
    Settings,
    SourceSettings,
)
from bespeak.errors import InvalidInput
from bespeak.privacy.pseudonyms import key_digest
from bespeak.signals.purposes import BUILT_IN, ESSENTIAL, PURPOSE_TEXTS

FILE_NAME = "bespeak.toml"
EVERY_PURPOSE = ["essential", "personalize", "measure", "improve"]


class ProjectFolder(msgspec.Struct, frozen=True):
    """The paths of a project."""

    root: Path

    @property
    def config_path(self) -> Path:
        """`bespeak.toml`."""
        return self.root / FILE_NAME

    @property
    def blobs(self) -> Path:
        """Models and lake."""
        return self.root / "data" / "blobs"

    @property
    def ledger(self) -> Path:
        """The erasure ledger, outside the backup set."""
        return self.root / "data" / "ledger"

    @property
    def clock(self) -> Path:
        """Where the virtual clock of a simulated project stands; only such a project has the file."""
        return self.root / "data" / "clock"

    @property
    def keys(self) -> Path:
        """Keys that are never backed up with the data."""
        return self.root / "keys"

    def holds_blobs(self) -> bool:
        """Whether there are models or files of the lake."""
        return self.blobs.is_dir() and any(self.blobs.iterdir())

    def store_url(self, url: str) -> str:
        """Returns the storage URL with a relative SQLite path made absolute."""
        prefix = "sqlite:///"
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            return prefix + str((self.root / url.removeprefix(prefix)).resolve())
        return url


class NewKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What `init` shows once; only the public or hashed halves are in the file."""

    write_key: str
    server_key: str
    secret_key: str
    token_private_key: str


def create(root: Path, *, token_key: tuple[str, str], settings: Mapping[str, Any] | None = None) -> NewKeys:
    """Makes a project folder with a commented configuration and new keys.

    Args:
        root: the folder; it may exist, but must hold no `bespeak.toml`.
        token_key: private and public half of the person-token key.
        settings: sections that differ from the defaults, in the shape of the file.

    Raises:
        InvalidInput: there is a project already, or the folder cannot be written.
    """
    folder = ProjectFolder(root)
    if folder.config_path.exists():
        raise InvalidInput(f"{root} holds a project already.", hint="Choose another folder, or edit its bespeak.toml.")
    keys = NewKeys(
        write_key="wk_" + secrets.token_urlsafe(18),
        server_key="sk_server_" + secrets.token_urlsafe(32),
        secret_key="sk_" + secrets.token_urlsafe(32),
        token_private_key=token_key[0],
    )
    given: dict[str, Any] = {
        "project": {"name": root.resolve().name or "my"},
        "sources": {
            "web": {"kind": "browser", "key": keys.write_key, "consent": [ESSENTIAL]},
            "backend": {"kind": "server", "key_sha256": key_digest(keys.server_key), "consent": EVERY_PURPOSE},
            "import": {"kind": "import", "consent": EVERY_PURPOSE},
        },
        "keys": {"admin": {"sha256": key_digest(keys.secret_key)}},
        "tokens": {"public_key": token_key[1]},
        "placements": {"home": {}, "similar": {}, "search": {}},
    }
    for section, values in (settings or {}).items():
        given[section] = {**given.get(section, {}), **values}
    try:
        for path in (folder.root, folder.root / "data", folder.blobs, folder.ledger, folder.keys):
            path.mkdir(parents=True, exist_ok=True)
        os.chmod(folder.keys, 0o700)
        folder.config_path.write_text(render(given), encoding="utf-8")
        (folder.root / ".gitignore").write_text("data/\nkeys/\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{root} cannot be written: {error.strerror or error}.") from None
    return keys


def render(given: Mapping[str, Any]) -> str:
    """Returns a commented configuration file: given values set, every other setting as a comment with its default."""
    lines = [
        "# Bespeak project. Every setting stands here with its default; a line that starts with # is not set.",
        "# This file is a proposal: `bespeak apply` shows the difference to what is active and makes it active.",
        "#",
        "# Purposes of consent: " + "; ".join(f"{name} ({PURPOSE_TEXTS[name]})" for name in BUILT_IN) + ".",
    ]
    hints = get_type_hints(Settings, include_extras=True)
    for name in Settings.__struct_fields__:
        lines.append("")
        lines.extend(_section(name, hints[name], given.get(name, {})))
    return "\n".join(lines) + "\n"


def _section(name: str, hint: Any, values: Mapping[str, Any]) -> Iterator[str]:
    kind = getattr(hint, "__origin__", hint)
    if isinstance(kind, type) and issubclass(kind, Section):
        yield f"# {(kind.__doc__ or '').splitlines()[0]}"
        yield f"[{name}]"
        yield from _fields(kind, values)
        return
    yield f"# {_meaning(hint)}"
    if name == "sources":
        for source, given in values.items():
            yield f"[sources.{_key(source)}]"
            yield from _fields(SourceSettings, given)
            yield ""
    elif name == "segments":
        yield "[segments]"
        yield "# loyal = \"orders_90d >= 2 AND last_seen > now() - INTERVAL '30' DAY\""
        yield from (f"{_key(k)} = {_value(v)}" for k, v in values.items())
    elif name == "predictions":
        yield '# such as [predictions.churn] with kind = "churn" and within_days = 30; `bespeak train` learns it'
        yield from _tables(name, values)
    elif name == "signals":
        yield "# [signals.classes.view]\n# half_life_days = 30"
        yield from _tables("signals", values)
    elif name == "placements":
        yield "# launch: share of consenting people who get the best slate without personalization, so that the lift"
        yield "# can be told; once it is, a `holdout` of 0.05 stays there. launch = 0 personalizes for everybody."
        yield from _tables(name, values)
    else:
        yield from _tables(name, values)


def _tables(path: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, given in values.items():
        if isinstance(given, Mapping):
            plain = {k: v for k, v in given.items() if not isinstance(v, Mapping)}
            nested = {k: v for k, v in given.items() if isinstance(v, Mapping)}
            yield f"[{path}.{_key(name)}]"
            yield from (f"{_key(k)} = {_value(v)}" for k, v in plain.items())
            yield from _tables(f"{path}.{_key(name)}", nested)
        else:
            yield f"{_key(name)} = {_value(given)}"


def _fields(kind: type[Section], values: Mapping[str, Any]) -> Iterator[str]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        yield f"# {_meaning(hints[field.name])}"
        if field.name in values:
            yield f"{field.name} = {_value(values[field.name])}"
        elif field.required:
            continue
        else:
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            yield f"# {field.name} = {_value(default)}"


def _meaning(hint: Any) -> str:
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.description:
            return meta.description
    return ""


def _key(name: str) -> str:
    return name if name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, bool | str | int | float):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON lets it stand, TOML does not
    return "[" + ", ".join(_value(v) for v in value) + "]"
