"""Keys and tokens follow the active configuration."""

from __future__ import annotations

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.errors import NotAllowed
from bespeak.web.site import Site
from bespeak.web.tokens import make_token_key, sign


def test_a_key_that_is_taken_out_opens_nothing_any_more(tmp_path):
    old, new = make_token_key(), make_token_key()
    keys = create(tmp_path / "my", token_key=old)
    with Engine.open(tmp_path / "my", clock=VirtualClock(5_000)) as engine:
        site = Site(engine)
        assert site.now_ms() == 5_000
        assert site.keys.of(keys.write_key).name == "web"
        token = sign(old[0], "u1", now_ms=5_000)
        assert site.tokens.user_id(token, site.now_ms()) == "u1"
        path = engine.core.folder.config_path
        path.write_text(path.read_text().replace(keys.write_key, "another").replace(old[1], new[1]))
        assert site.keys.of(keys.write_key).name == "web", "the file is a proposal"
        engine.core.apply()
        with pytest.raises(NotAllowed):
            site.keys.of(keys.write_key)
        with pytest.raises(NotAllowed):
            site.tokens.user_id(token, site.now_ms())
        assert site.keys.of("another").name == "web"
