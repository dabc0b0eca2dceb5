"""/signin/link: signs a person in by a link of `registrar token link`. The page asks whether to; its button does."""

import flask
from flask import Blueprint, Response, redirect, request

from webhooks.auth.signin import local
from webhooks.dashboard.context import DashboardContext
from webhooks.ingress.errors import NotPermitted


def register(pages: Blueprint, context: DashboardContext) -> None:
    access = context.access

    @pages.get("/signin/link", endpoint="sign_in_link")
    def form() -> Response:
        """Show a form for the code, which the script fills in from what is behind the link's #, and sends."""
        _refuse_behind_proxy(context)
        nonce, token = access.links.new_form()
        response = _page(context, token, target=local(request.args.get("next")))
        access.links.remember(nonce, request, response)
        return response

    @pages.post("/signin/link")
    def sign_in() -> Response:
        """Show whom the code signs in, or, by the button of that page, sign them in."""
        _refuse_behind_proxy(context)
        client = access.client_address(request)
        token, target = access.links.check_form(request, client), local(request.form.get("next"))
        code = request.form.get("code", "").strip().rpartition("#")[2]
        link, who = access.links.find(code)
        if request.form.get("confirmed") != "yes":
            return _page(context, token, target=target, link=link, who=who, code=code)
        response = flask.make_response(redirect(target, code=303))
        access.links.use(link, who, request, response, client)
        return response


def _page(context: DashboardContext, token: str, **shown: object) -> Response:
    return flask.make_response(context.page("sign_in_link.html", context.principal_if_known(), token=token, **shown))


def _refuse_behind_proxy(context: DashboardContext) -> None:
    """Raise NotPermitted where a trusted proxy says who somebody is: its word counts, and the link would be lost."""
    if context.access.names_somebody(request):
        raise NotPermitted("the proxy in front of Registrar says who you are, so that a link can't: it is not used")
