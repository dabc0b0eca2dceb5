"""Whoever asks again says what they have (If-None-Match), and is told when that is still so (304): RFC 9110 8.8.3.

The tag is of the answer's bytes: what is saved is the way to whoever asks, not the work.
"""

from flask import Response, request


def add(response: Response) -> Response:
    """After each request of the API."""
    asked = request.method in ("GET", "HEAD") and request.path.startswith("/v1/")
    if asked and response.status_code == 200 and not response.is_streamed:
        response.headers["Cache-Control"] = "private, no-cache"  # kept by whoever asked, and asked about each time
        response.vary.update(("Authorization", "Cookie"))
        response.add_etag()
        response.make_conditional(request)
    return response
