"""What went wrong, as a page: the same sentence that the API would answer with."""

import flask
from flask import Response, request

from webhooks.errors import NotSignedIn, Rejected
from webhooks.pages.house import House
from webhooks.refusals import rejected_of


class Errors:
    """The pages' error handler."""

    def __init__(self, house: House) -> None:
        self._house = house

    def answer(self, error: Exception) -> Response:
        rejected = rejected_of(error)
        guest = None if isinstance(error, NotSignedIn) else self._house.access.principal(request)
        text = flask.render_template("pages/error.html", problem=rejected, guest=guest, back=_back())
        answer = Response(text, rejected.status, content_type="text/html; charset=utf-8")
        answer.headers.extend(_more(rejected))
        return answer


def _more(rejected: Rejected) -> dict[str, str]:
    wait = {"Retry-After": str(rejected.retry_after)} if rejected.retry_after else {}
    return {**rejected.headers, **wait}


def _back() -> str:
    """Where the form was; a page of ours, whoever sent the request."""
    return request.path if request.method == "GET" else request.path.rsplit("/", 1)[0] or "/"
