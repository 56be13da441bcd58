"""What stands before every page: who is there, whether a form is theirs, and what an error looks like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bespeak.console.answers import go, html
from bespeak.console.desk import Desk, Visit
from bespeak.errors import BespeakError, InvalidInput, NotAllowed, StoreUnavailable, UnknownName
from bespeak.web.session import COOKIE, ConsoleSession, is_foreign

View = Callable[[Desk, Visit], Response]
Endpoint = Callable[[Request], Awaitable[Response]]

MAX_FORM_BYTES = 65_536
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"


async def form_of(request: Request) -> dict[str, str]:
    """Returns the fields of a posted form, the last of equal names.

    Raises:
        NotAllowed: another site sent it.
        InvalidInput: it is too large, or no form.
    """
    if is_foreign(request.headers):
        raise NotAllowed("This form came from another site.", hint="Use the console's own pages.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise InvalidInput("The form is too large.", hint=f"At most {MAX_FORM_BYTES} bytes are allowed.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise InvalidInput("The form cannot be read.", hint="Reload the page and try again.") from None


def guarded(desk: Desk, view: View) -> Endpoint:
    """Returns an endpoint that calls a view for somebody signed in, in a thread, and sends others to sign in."""

    async def endpoint(request: Request) -> Response:
        is_fragment = request.headers.get("hx-request") == "true"
        try:
            session = desk.login.session(request.cookies.get(COOKIE, ""))
        except NotAllowed:
            return go(f"{desk.root}/login", is_fragment=is_fragment)
        visit = Visit(
            session=session,
            query=dict(request.query_params),
            path=dict(request.path_params),
            is_fragment=is_fragment,
        )
        try:
            form: dict[str, str] = {}
            if request.method == "POST":
                form = await form_of(request)
                desk.login.check_form(session, form.get(CSRF_FIELD) or request.headers.get(CSRF_HEADER, ""))
            return await run_in_threadpool(view, desk, _with_form(visit, session, form))
        except BespeakError as error:
            return await run_in_threadpool(_refusal, desk, visit, error)

    return endpoint


def status_of(error: BespeakError) -> int:
    """Returns the status code of an error."""
    if isinstance(error, NotAllowed):
        return 403
    if isinstance(error, UnknownName):
        return 404
    if isinstance(error, InvalidInput):
        return 400
    return 503 if isinstance(error, StoreUnavailable) else 500


def _with_form(visit: Visit, session: ConsoleSession, form: dict[str, str]) -> Visit:
    return Visit(session=session, query=visit.query, form=form, path=visit.path, is_fragment=visit.is_fragment)


def _refusal(desk: Desk, visit: Visit, error: BespeakError) -> Response:
    # htmx shows no answer of 4xx, so a part of a page gets its error as a part of the page.
    if visit.is_fragment:
        return html(desk.render("console/parts/error.html", visit, error=error))
    return html(desk.render("console/error.html", visit, error=error, page="", title="Not possible"), status_of(error))
