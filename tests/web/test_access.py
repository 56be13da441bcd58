"""What a key may do."""

from __future__ import annotations

import base64

import pytest

from bespeak.engine.settings import KeySettings, Settings, SourceSettings
from bespeak.errors import NotAllowed
from bespeak.privacy.pseudonyms import key_digest
from bespeak.web.access import Access, AccessKeys, key_of

KEYS = AccessKeys(
    Settings(
        sources={
            "web": SourceSettings(kind="browser", key="wk_1"),
            "backend": SourceSettings(kind="server", key_sha256=key_digest("sk_server")),
            "files": SourceSettings(kind="import", key="never"),
        },
        keys={"admin": KeySettings(sha256=key_digest("sk_secret"))},
    )
)


@pytest.mark.parametrize(
    ("key", "kind", "name"),
    [("wk_1", "browser", "web"), ("sk_server", "server", "backend"), ("sk_secret", "secret", "admin")],
)
def test_a_key_speaks_for_its_source_or_for_itself(key, kind, name):
    assert KEYS.of(key) == Access(kind, name)


@pytest.mark.parametrize(
    "key", ["", "wk_", "wk_1 ", "WK_1", key_digest("sk_secret"), key_digest("sk_server"), "never", "web", "é"]
)
def test_everything_else_opens_nothing_hashes_included(key):
    with pytest.raises(NotAllowed) as caught:
        KEYS.of(key)
    assert not key or key not in str(caught.value)


def test_an_empty_hash_is_no_key():
    empty = AccessKeys(Settings(sources={"s": SourceSettings(kind="server"), "b": SourceSettings(kind="browser")}))
    with pytest.raises(NotAllowed):
        empty.of("")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": basic("wk_1:")}, "wk_1"),
        ({"authorization": basic("wk_1:password")}, "wk_1"),
        ({"authorization": basic("wk_1").replace("Basic", "basic")}, "wk_1"),
        ({"authorization": "Bearer  sk_secret "}, "sk_secret"),
        ({"authorization": "Basic !!!"}, ""),
        ({"authorization": "Basic /w=="}, ""),
        ({"authorization": "Digest x"}, ""),
        ({"x-write-key": "wk_1:"}, "wk_1"),
        ({"x-api-key": "sk_secret"}, "sk_secret"),
        ({"authorization": basic("a:"), "x-api-key": "b"}, "a"),
        ({}, ""),
    ],
)
def test_a_key_is_found_where_clients_put_it(headers, key):
    assert key_of(headers) == key
