"""/models/NAME/rollback: what a rollback would do, by the record, and the form that asks for it."""

import re
from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.events.types import ModelRollback
from registrar.ledger.disputes import dispute
from registrar.ledger.engine import now
from registrar.policy import Target
from registrar.policy.permissions import may_remove, required_role
from registrar.queries.rollback_plan import RollbackPlan, read_rollback
from webhooks.auth import Principal
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import InvalidEvent, NotFound, Outdated
from webhooks.ingress.validation import clean

_VERSION = re.compile("[0-9]{1,9}")


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/models/<name>/rollback", endpoint="rollback_plan")
    def plan(name: str) -> str:
        principal, target, to = context.require_principal(), request.args.get("target", "Production"), _to(request.args)
        read = _read(context, name, target, to)
        if read is None:
            raise NotFound(
                f"no earlier version of {clean(name)} held {clean(target)}, so there is nothing to go back to"
            )
        with context.ledger.read() as connection:
            disputed = dispute(connection, name)
        return context.page(
            "rollback.html",
            principal,
            now=now(),
            model=name,
            plan=read,
            to=to,
            may=may_roll_back(context, principal, name, read.target),
            dispute=disputed if disputed and not disputed.moves else None,
        )

    @pages.post("/models/<name>/rollback")
    def roll_back(name: str) -> Response:
        """Submit the command. The worker decides whether this person may, and whether the version is fit."""
        context.require_principal()
        data: dict[str, Any] = {field: request.form.get(field, "").strip() for field in ("target", "to", "reason")}
        then = url_for("pages.model", name=name)
        command = {"model": name, **data}
        check = _unchanged_holder(context, name, data["target"])
        return context.submit_command(ModelRollback.type, command, then=then, what=data["target"], check=check)


def _unchanged_holder(context: DashboardContext, model: str, target: str) -> Any:
    """Return a check that raises Outdated where another version holds the target than when the plan was shown."""
    shown = request.form.get("seen"), request.form.get("holder")

    def check() -> None:
        read = _read(context, model, target, None)
        if read is None or shown != (read.seen, str(read.holder)):
            holds = f"version {read.holder} holds it" if read else "nothing could be gone back to"
            raise Outdated(
                f"nothing was done: {clean(target)} of {clean(model)} has changed since the plan was shown, and now "
                f"{holds}; look at it again"
            )

    return check


def _read(context: DashboardContext, model: str, target: str, to: int | None) -> RollbackPlan | None:
    with context.ledger.read() as connection:
        return read_rollback(connection, context.policy, model, target, to=to)


def may_roll_back(context: DashboardContext, principal: Principal, model: str, target: Target) -> bool:
    """Return whether this person may roll a target back, as the worker will decide."""
    needed = required_role(context.policy, ModelRollback.type, model=model, target=target.stage)
    return principal.may(needed) and may_remove(context.policy, principal.actor.id, [target])


def _to(args: Any) -> int | None:
    """Raises InvalidEvent."""
    text = args.get("to", "")
    if text and not _VERSION.fullmatch(text):
        raise InvalidEvent("to is a version, a whole number such as 3")
    return int(text) if text else None
