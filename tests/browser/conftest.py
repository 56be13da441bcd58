"""A served shop and a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bespeak.console.shop_settings import shop_settings, with_pictures
from bespeak.engine.engine import Engine
from browser_fixtures import chromium
from server_fixtures import Project, make_project, started

__all__ = ["chromium"]

PROGRAM = Path(__file__).with_name("serve_shop.py")
N_PEOPLE, N_ITEMS = 60, 96
VARIANTS = {
    "greeting": {
        "kind": "variant",
        "variants": {
            "plain": {"title": "Hello"},
            "phone": {"title": "<b>Hi</b>", "tip": "on a phone", "url": "https://example.com/app", "class": "small"},
            "evil": {"title": "Hi", "url": "javascript:alert(1)", "tip": "x"},
        },
        "when": ["context.device = 'mobile' show phone", "context.device = 'tablet' show evil"],
    },
    "motto": {"kind": "variant", "variants": {"long": "We sell things.", "short": "Things."}, "split": {"short": 1.0}},
}
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 740}

# WCAG 2.2, relative luminance and contrast, over every element that shows text of its own.
LOW_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".u-legend, svg, .unseen")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


@dataclass(frozen=True)
class Shop:
    """A served shop."""

    url: str
    project: Project


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    web = {"kind": "browser", "key": "wk_shop", "consent": ["essential", "personalize", "measure", "improve"]}
    root = tmp_path_factory.mktemp("browser") / "shop"
    nobody = {"placement": "home", "coverage": 0.0, "variants": {"usual": {}, "calm": {}}}
    settings = shop_settings()
    settings |= {
        "sources": {"web": web},
        "experiments": {"calmer": nobody},
        "placements": {**settings["placements"], **VARIANTS},
    }
    project = make_project(root, n_people=N_PEOPLE, n_items=N_ITEMS, history=True, settings=settings)
    with Engine.open(root) as engine:
        engine.items.put(list(with_pictures(project.world.items(), "/demo/art")))
        engine.models.train()
        engine.track([{"type": "track", "event": "Nobody did this"}])
    numbers = [str(n) for n in (N_PEOPLE, N_ITEMS, project.world.end_ms)]
    server = started(project, str(PROGRAM), str(root), project.keys.token_private_key, *numbers)
    yield Shop(server.url, project)
    assert server.stop() == 0


def watched(browser: Browser, size: dict[str, int]) -> tuple[Page, list[str]]:
    """A page in a browser profile of its own, and what went wrong on it."""
    page = browser.new_context(viewport=size, locale="en-GB").new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    return page, troubles


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """A page of either size; nothing may have gone wrong on it."""
    made, troubles = watched(chromium, request.param)
    yield made
    made.context.close()
    assert not troubles


@pytest.fixture
def desktop(chromium: Browser) -> Iterator[Page]:
    """A page of a large window; nothing may have gone wrong on it."""
    made, troubles = watched(chromium, DESKTOP)
    yield made
    made.context.close()
    assert not troubles


@pytest.fixture
def hard_to_read() -> Callable[[Page], list[str]]:
    """Names the elements of a page whose text stands out too little from its ground."""
    return lambda page: page.evaluate(LOW_CONTRAST)
