"""Signing in with a secret key or a link that works once, and signing out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bespeak.console.answers import go, html
from bespeak.console.desk import Desk, Visit
from bespeak.console.guard import Endpoint, form_of
from bespeak.errors import BespeakError, NotAllowed
from bespeak.web.session import COOKIE, SESSION_HOURS


def login_page(desk: Desk) -> Endpoint:
    """Shows the form; with `?once=TOKEN` signs in at once."""

    async def endpoint(request: Request) -> Response:
        token = request.query_params.get("once", "")
        if not token:
            return html(await run_in_threadpool(_form, desk, ""))
        try:
            cookie = await run_in_threadpool(desk.login.redeem_once, token)
        except NotAllowed as error:
            if _is_signed_in(desk, request):  # somebody reloads the link they came with
                return go(f"{desk.root}/")
            return html(await run_in_threadpool(_form, desk, str(error)), 403)
        return _come_in(desk, request, cookie)

    return endpoint


def login_form(desk: Desk) -> Endpoint:
    """Takes the key."""

    async def endpoint(request: Request) -> Response:
        try:
            form = await form_of(request)
            cookie = await run_in_threadpool(desk.login.sign_in, form.get("key", ""))
        except BespeakError as error:
            return html(await run_in_threadpool(_form, desk, str(error)), 403)
        return _come_in(desk, request, cookie)

    return endpoint


def sign_out(desk: Desk, visit: Visit) -> Response:
    """Removes the cookie."""
    answer = go(f"{desk.root}/login", is_fragment=visit.is_fragment)
    answer.delete_cookie(COOKIE, path=desk.root, httponly=True, samesite="strict")
    return answer


def _form(desk: Desk, problem: str) -> str:
    return desk.render("console/login.html", problem=problem, page="", title="Sign in")


def _is_signed_in(desk: Desk, request: Request) -> bool:
    try:
        desk.login.session(request.cookies.get(COOKIE, ""))
    except NotAllowed:
        return False
    return True


def _come_in(desk: Desk, request: Request, cookie: str) -> Response:
    answer = go(f"{desk.root}/")
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_HOURS * 3600,
        path=desk.root,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer
