"""/models/NAME/compare?a=3&b=5: two versions of a model side by side, by the record."""

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as Base

from registrar.ledger.engine import now
from registrar.queries.policy_view import bound
from registrar.queries.query_service import Unknown
from registrar.queries.version_comparison import read_comparison
from webhooks.dashboard import query_params
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import InvalidEvent, NotFound

_METRICS = 200  # rows of the page


def register(pages: Blueprint, context: DashboardContext) -> None:
    @pages.get("/models/<name>/compare")
    def compare(name: str) -> str | Base:
        """Show the comparison; without versions redirect to the model's page, which lets the reader choose them."""
        principal = context.require_principal()
        if not request.args:
            return redirect(url_for("pages.model", name=name), code=303)
        a, b = query_params.number("a"), query_params.number("b")
        if a is None or b is None or a == b:
            raise InvalidEvent("a and b are two different versions, such as ?a=3&b=5")
        with context.ledger.read() as connection:
            try:
                compared = read_comparison(connection, context.policy, name, a, b)
            except Unknown as error:
                raise NotFound(str(error)) from None
            digests = {side.policy_digest for side in (compared.a, compared.b) if side.policy_digest}
            known = {digest for digest in digests if bound(context.policy, connection, digest)}
        runs = {side.version: side.run_id for side in (compared.a, compared.b)}
        in_mlflow = context.mlflow.compare_versions(name, runs)
        return context.page(
            "compare.html",
            principal,
            now=now(),
            compared=compared,
            mlflow_compare=in_mlflow,
            policies=known,
            most=_METRICS,
        )
