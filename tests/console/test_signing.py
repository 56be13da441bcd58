"""Who comes in, and whose forms count."""

from __future__ import annotations

import pytest

from bespeak.console.app import PAGES, login_of

SAMPLE = {"{log_id:int}": "1", "{person:int}": "1", "{version:int}": "1"}


def address(path: str) -> str:
    for pattern, value in SAMPLE.items():
        path = path.replace(pattern, value)
    return "/console" + path


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in PAGES])
def test_every_page_sends_who_is_not_signed_in_to_the_door(outside, method, path):
    answer = outside.request(method, address(path))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/login")
    assert not answer.content


def test_a_part_of_a_page_is_told_so_by_the_header_that_htmx_follows(outside):
    answer = outside.get("/console/events/rows", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/console/login")


def test_a_secret_key_opens_the_console_with_a_cookie_that_scripts_cannot_read(shop, outside):
    answer = outside.post("/console/login", data={"key": shop.project.keys.secret_key})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console" in cookie
    assert shop.project.keys.secret_key not in answer.headers["set-cookie"]
    assert outside.get("/console/").status_code == 200


@pytest.mark.parametrize("key", ["", "sk_wrong", "wk_test", "schlüssel"])
def test_no_other_key_opens_it(outside, key):
    answer = outside.post("/console/login", data={"key": key})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text


def test_a_server_key_opens_no_console(shop, outside):
    assert outside.post("/console/login", data={"key": shop.project.keys.server_key}).status_code == 403


def test_a_link_signs_in_once(shop, outside):
    token = login_of(shop.engine).make_once()
    other = shop.visitor()
    assert outside.get("/console/login", params={"once": token}).status_code == 303
    assert outside.get("/console/").status_code == 200
    assert other.get("/console/login", params={"once": token}).status_code == 403
    assert other.get("/console/").status_code == 303
    assert outside.get("/console/login", params={"once": token}).headers["location"] == "/console/"


def test_a_form_without_the_sessions_token_changes_nothing(shop, inside):
    before = shop.engine.models.versions()
    for form in ({}, {"csrf": "0" * 64}, {"csrf": "é"}):
        assert inside.post("/console/models/train", data=form).status_code == 403
    assert shop.engine.models.versions() == before


def test_a_form_that_another_site_sent_is_refused(inside, csrf):
    form = {"csrf": csrf, "id": "u1"}
    assert inside.post("/console/people", data=form, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert inside.post("/console/people", data=form, headers={"sec-fetch-site": "same-origin"}).status_code != 403


def test_signing_in_from_another_site_is_refused(shop, outside):
    form = {"key": shop.project.keys.secret_key}
    answer = outside.post("/console/login", data=form, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_out_ends_the_session(inside, csrf):
    answer = inside.post("/console/logout", data={"csrf": csrf})
    assert answer.headers["location"] == "/console/login"
    assert inside.get("/console/").status_code == 303


def test_a_form_that_is_too_large_is_refused(inside):
    assert inside.post("/console/people", content=b"id=" + b"x" * 70_000).status_code == 400
