"""/models/NAME/versions/N: one version, all that happened to it, and what this person may do with it."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.events.types import (
    ModelVersionArchive,
    ModelVersionDescribe,
    ModelVersionTransition,
    PromotionRequest,
)
from registrar.ledger.engine import now
from registrar.queries.version_record import VersionRecord, read_seen, read_version
from registrar.queries.version_verbs import Person, VerbName
from webhooks.auth import Principal
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import InvalidEvent, NotFound, Outdated
from webhooks.ingress.validation import clean

_LARGEST = 2**31 - 1
# The lines of a form's tags.
_MOST_TAGS = 50
Fields = dict[str, Any]


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/models/<name>/versions/<int:number>")
    def version(name: str, number: int) -> str:
        principal = context.require_principal()
        record = _load(context, principal, name, number)
        shown = {"model": name, "version": number, "record": record, "policy": context.policy.model(name)}
        return context.page("version.html", principal, now=now(), **shown)

    @pages.post("/models/<name>/versions/<int:number>/<verb>")
    def act(name: str, number: int, verb: str) -> Response:
        """Submit a command about the version that was shown. The worker decides whether this person may."""
        if verb not in _FORMS:
            raise NotFound(f"a version's forms are {', '.join(_FORMS)}")
        context.require_principal()
        type_, fields = _FORMS[verb]
        data, then = fields(), url_for("pages.version", name=name, number=number)
        return context.submit_command(
            type_,
            {"model": name, "version": number, **data},
            then=then,
            what=f"{verb}{data.get('target', '')}",
            check=lambda: check_unchanged(context, name, number),
        )


def check_unchanged(context: DashboardContext, model: str, version: int) -> None:
    """Raise Outdated where a form was made for another version of the number, or for one that held something else."""
    shown = request.form.get("seen")
    with context.ledger.read() as connection:
        present = read_seen(connection, context.policy, model, version)
    if shown != present:
        raise Outdated(
            f"nothing was done: {clean(model)} version {version} has changed since the page was shown "
            f"({_difference(shown, present)}); look at it again"
        )


def _difference(shown: str | None, present: str) -> str:
    if shown is None:
        return "the form does not say what it was made for"
    (made_then, *held_then), (made, *held) = clean(shown).split(","), present.split(",")
    if made_then != made:
        return "it was made anew in MLflow"
    return f"it held {' and '.join(held_then) or 'nothing'}, and holds {' and '.join(held) or 'nothing'} now"


def _load(context: DashboardContext, principal: Principal, name: str, number: int) -> VersionRecord:
    """Raises NotFound."""
    person = Person(principal.actor.id, principal.role)
    with context.ledger.read() as connection:
        found = 1 <= number <= _LARGEST and read_version(connection, context.policy, name, number, person=person)
    if not found:
        raise NotFound(
            f"the record knows no version {clean(str(number), length=20)} of {clean(name)}; MLflow may have one that "
            "was registered past Registrar"
        )
    return found


def _request() -> Fields:
    return {"target": request.form.get("target", ""), "reason": _text("reason")}


def _demotion() -> Fields:
    return {"stage": _text("stage"), "reason": _text("reason")}


def _archive() -> Fields:
    return {"reason": _text("reason")}


def _description() -> Fields:
    """Return the description and the tags, one KEY=VALUE a line. An empty field changes nothing."""
    lines = [line for line in request.form.get("tags", "").splitlines() if line.strip()]
    if len(lines) > _MOST_TAGS:
        raise InvalidEvent(f"{len(lines)} tags, and {_MOST_TAGS} at most are set at once")
    if wrong := [line for line in lines if "=" not in line]:
        raise InvalidEvent(f"a tag is KEY=VALUE, not {clean(wrong[0].strip())}")
    tags = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    return {"description": _text("description"), "tags": tags}


def _text(name: str) -> str:
    return request.form.get(name, "").strip()


_FORMS: dict[str, tuple[str, Callable[[], Fields]]] = {
    VerbName.REQUEST: (PromotionRequest.type, _request),
    VerbName.DEMOTE: (ModelVersionTransition.type, _demotion),
    VerbName.ARCHIVE: (ModelVersionArchive.type, _archive),
    VerbName.DESCRIBE: (ModelVersionDescribe.type, _description),
}
