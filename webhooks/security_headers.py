"""Security headers of every response, and more of them for pages."""

import flask

_ALL = {"X-Content-Type-Options": "nosniff"}
_NO_CACHE = {"Cache-Control": "no-store"}
# A page loads only our own scripts and styles, sends forms only to us, and can't be framed. An SVG image gets the same
# headers, since a browser can open it as a page.
# With no-referrer our own forms would come with `Origin: null`: https://fetch.spec.whatwg.org/#append-a-request-origin-header
_PAGE_TYPES = ("text/html", "image/svg+xml")
_PAGES = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def add(response: flask.Response) -> flask.Response:
    """Add the headers that a route did not set itself, such as Cache-Control."""
    for name, value in _NO_CACHE.items():
        response.headers.setdefault(name, value)
    for name, value in _ALL.items():
        response.headers[name] = value
    if response.mimetype in _PAGE_TYPES:
        for name, value in _PAGES.items():
            response.headers.setdefault(name, value)
    return response
