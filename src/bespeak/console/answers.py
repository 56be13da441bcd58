"""Responses, and the headers that every page has: only our own scripts and styles, nothing kept by caches."""

from __future__ import annotations

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

# Frames, plug-ins and inline code are out; a page that is tricked into showing markup still cannot run any.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def html(text: str, status: int = 200) -> Response:
    """Returns a page or a fragment."""
    return HTMLResponse(text, status, headers=HEADERS)


def data(values: object, status: int = 200) -> Response:
    """Returns JSON."""
    return JSONResponse(values, status, headers=HEADERS)


def unchanged() -> Response:
    """Returns 204: what is on the screen is still right."""
    return Response(status_code=204, headers=HEADERS)


def go(address: str, *, is_fragment: bool = False) -> Response:
    """Sends the browser to another page; a request for a fragment is told so by the header that htmx follows."""
    if is_fragment:
        return Response(status_code=204, headers={**HEADERS, "hx-redirect": address})
    return RedirectResponse(address, 303, headers=HEADERS)
