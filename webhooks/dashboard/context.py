"""What all pages share: whom they ask, how they look, and how a command is sent."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Response, redirect, render_template, request

from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.ledger.queries import event_status
from registrar.policy import Policy
from webhooks.auth import Authenticator, Principal, Role
from webhooks.dashboard import formatting
from webhooks.dashboard.mlflow_links import MlflowLinks
from webhooks.ingress.command_submission import CommandSubmission
from webhooks.monitoring.health import Health


@dataclass(frozen=True)
class DashboardContext:
    """One per app."""

    ledger: Ledger
    policy: Policy
    health: Health
    access: Authenticator
    commands: CommandSubmission
    mlflow: MlflowLinks

    def require_principal(self, role: Role = "viewer") -> Principal:
        """Who asks, if they may. Raises NotSignedIn, NotPermitted, CrossSite."""
        return self.access.require(request, role)

    def page(self, template: str, principal: Principal, **shown: Any) -> str:
        """now: the time that the page is of."""
        at: datetime = shown.pop("now", None) or now()
        shared = {
            "principal": principal,
            "csrf": self.access.csrf_token(principal),
            "sign_in": self.access.sign_in_path(here()),
            "mlflow": self.mlflow,
            "formatting": formatting,
            "when": partial(formatting.when, now=at),
            "state": formatting.state,
            "sent": self._sent(),
            "key": uuid.uuid4().hex,
        }
        return render_template(f"pages/{template}", **shared, **shown)

    def submit_command(self, type_: str, data: Mapping[str, Any], *, then: str, what: str = "") -> Response:
        """Send a command of the form that came, and go on to a page that says what became of it.

        A form has a key of its own, so that sending it twice is one command. what: which of its buttons, if it has
        two. Raises what CommandSubmission.submit does.
        """
        principal = self.require_principal()
        filled = {name: value for name, value in data.items() if value not in (None, "")}
        key = request.form.get("key")
        accepted = self.commands.submit(principal, type_, filled, key=f"{key}{what}" if key else None)
        mark = "&" if "?" in then else "?"
        answer = redirect(f"{then}{mark}sent={accepted.event_ids[0]}", code=303)
        return Response(answer.get_data(), answer.status_code, dict(answer.headers))

    def _sent(self) -> Mapping[str, Any] | None:
        """What became of the command that led to this page, if one did."""
        event_id = request.args.get("sent", "")
        if not event_id.startswith("evt_") or not readable(event_id):
            return None
        with self.ledger.read() as connection:
            found = event_status.event(connection, event_id)
        if found is None:
            return None
        first = found["tasks"][0] if found["tasks"] else {}
        summary = (first.get("outcome") or {}).get("summary") or first.get("error")
        state = "refused" if found["refused"] else found["state"]
        return {"id": event_id, "type": found["type"], "state": state, "summary": summary}


def here() -> str:
    """The page that is asked for, as an address."""
    query = request.query_string.decode("latin-1")
    return quote(request.path) + (f"?{query}" if query else "")


def readable(id_: str) -> bool:
    """PostgreSQL refuses what is no text."""
    return id_.isascii() and id_.isprintable() and len(id_) <= 300
