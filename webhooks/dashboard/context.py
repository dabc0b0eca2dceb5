"""What all pages share: the principal, rendering, the submission of commands, links to MLflow."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Response, redirect, render_template, request

from registrar.events.states import TaskState
from registrar.http.page_links import MlflowLinks
from registrar.ledger import Connection, Ledger, LedgerUnavailable
from registrar.ledger.engine import now
from registrar.ledger.queries import event_status
from registrar.policy import Policy
from registrar.queries.waiting_for import WaitingFor, waiting_for
from webhooks.auth import Authenticator, Principal, Role
from webhooks.dashboard import formatting
from webhooks.ingress.command_submission import CommandSubmission
from webhooks.ingress.errors import Rejected
from webhooks.monitoring.health import Health


@dataclass(frozen=True)
class DashboardContext:
    """The services that pages use; one per app."""

    ledger: Ledger
    policy: Policy
    health: Health
    access: Authenticator
    commands: CommandSubmission
    mlflow: MlflowLinks

    def require_principal(self, role: Role = "viewer") -> Principal:
        """Return the client if it has the role. Raises NotSignedIn, NotPermitted, CrossSite."""
        return self.access.require(request, role)

    def principal_if_known(self) -> Principal | None:
        """Return the client; None if it is unknown, or can't be determined at the moment."""
        try:
            return self.access.principal(request)
        except (Rejected, LedgerUnavailable):
            return None

    def page(self, template: str, principal: Principal | None, **shown: Any) -> str:
        """Render a template. shown['now']: the time to which the page's relative times refer; default: the present.

        principal None: nobody is signed in, on a page that anybody may see.
        shown['waits']: what waits for the principal, where the page has read it.
        """
        at: datetime = shown.pop("now", None) or now()
        if principal and "waits" not in shown:
            with self.ledger.read() as connection:
                shown["waits"] = self.waiting_for(connection, principal, at=at)
        shared = {
            "principal": principal,
            "csrf": self.access.csrf_token(principal) if principal else None,
            "sign_in": self.access.sign_in_path(here()),
            "mlflow": self.mlflow if principal else None,
            "formatting": formatting,
            "when": partial(formatting.when, now=at),
            "countdown": partial(formatting.countdown, now=at),
            "state": formatting.state,
            "sent": self._sent() if principal else None,
            "key": uuid.uuid4().hex,
        }
        return render_template(f"pages/{template}", **shared, **shown)

    def waiting_for(self, connection: Connection, principal: Principal, *, at: datetime) -> WaitingFor:
        """Return what waits for the principal, which every page counts."""
        return waiting_for(connection, self.policy, principal.actor.id, principal.role, at=at)

    def submit_command(
        self,
        type_: str,
        data: Mapping[str, Any],
        *,
        then: str,
        what: str = "",
        check: Callable[[], None] | None = None,
    ) -> Response:
        """Submit the command of a form, and redirect to `then`, a page that shows its state.

        Each form has a key, so that a form that is sent twice is one command. what: the button, if the form has
        several. check: raises where what the form was made for has changed. Raises what CommandSubmission.submit
        raises.
        """
        principal = self.require_principal()
        filled = {name: value for name, value in data.items() if value not in (None, "")}
        key = request.form.get("key")
        accepted = self.commands.submit(principal, type_, filled, key=f"{key}{what}" if key else None, check=check)
        separator = "&" if "?" in then else "?"
        response = redirect(f"{then}{separator}sent={accepted.event_ids[0]}", code=303)
        return Response(response.get_data(), response.status_code, dict(response.headers))

    def _sent(self) -> Mapping[str, Any] | None:
        """Return the state of the command whose submission led to this page, if any."""
        event_id = request.args.get("sent", "")
        if not event_id.startswith("evt_") or not readable(event_id):
            return None
        with self.ledger.read() as connection:
            event = event_status.event(connection, event_id)
        if event is None:
            return None
        first = event["tasks"][0] if event["tasks"] else {}
        summary = (first.get("outcome") or {}).get("summary") or first.get("error")
        state = TaskState.REFUSED if event["refused"] else event["state"]
        return {"id": event_id, "type": event["type"], "state": state, "summary": summary}


def here() -> str:
    """Return the path and query of the current page."""
    query = request.query_string.decode("latin-1")
    return quote(request.path) + (f"?{query}" if query else "")


def readable(id_: str) -> bool:
    """Return whether a text can be an id. PostgreSQL refuses NUL in texts."""
    return id_.isascii() and id_.isprintable() and len(id_) <= 300
