"""Serves a shop with console and storefront, as the demo does: `serve_shop.py FOLDER TOKEN_KEY PEOPLE ITEMS END_MS`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bespeak.console.storefront import demo_routes
from bespeak.serve.run import serve
from bespeak.simulate import ShopWorld


def main() -> None:
    folder, token_key, n_people, n_items, end_ms = sys.argv[1:]
    world = ShopWorld(11, n_people=int(n_people), n_items=int(n_items), days=20, end_ms=int(end_ms))
    serve(
        Path(folder),
        host="127.0.0.1",
        port=0,
        workers=1,
        with_jobs=False,
        announce=lambda url: print(url, flush=True),
        extra=partial(demo_routes, world=world, token_key=token_key),
    )


if __name__ == "__main__":
    main()
