"""Signs in requests from the receiver's own machine, where no other request can look like one."""

import re

import flask

from registrar.events.event import Actor
from registrar.http.safe_url import at_loopback
from registrar.policy import Policy
from webhooks.auth.identity import Principal
from webhooks.auth.trusted_proxy import parse_address

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Via")
_NAMES = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")
_NOBODY = Actor("local", "this machine")


class Loopback:
    """Tells requests from this machine from those that a proxy on it passes on.

    public_url: REGISTRAR_PUBLIC_URL. If it is another host's name, there is a proxy, and no request counts as local:
    by default nginx sends `Host: 127.0.0.1:8080` and no header that shows that it is a proxy.
    """

    def __init__(self, public_url: str | None) -> None:
        self.enabled = not public_url or at_loopback(public_url)

    def made_here(self, request: flask.Request) -> bool:
        """Return whether a request counts as local: made on this machine."""
        return self.enabled and looks_local(request)


def looks_local(request: flask.Request) -> bool:
    """Return whether a request looks local, by its address and headers.

    Most requests of a proxy on this machine, or of a web page whose host name was rebound to 127.0.0.1, differ in
    their headers; not all.
    """
    is_proxied = any(header in request.headers for header in _FORWARDED)
    host = _NAMES.fullmatch(request.headers.get("Host", ""))
    address = parse_address(request.remote_addr)
    return bool(not is_proxied and host and address and address.is_loopback)


def local_principal(policy: Policy, operator: str | None) -> Principal:
    """Return the principal of local requests. operator: a person, or source:NAME; None: a viewer. Raises ValueError."""
    if operator is None:
        return Principal(_NOBODY, "viewer", "loopback")
    if person := policy.people.get(operator):
        return Principal(Actor(operator, person.name), "operator", "loopback")
    kind, _, name = operator.partition(":")
    if kind != "source" or name not in policy.sources:
        raise ValueError(f"REGISTRAR_LOCAL_OPERATOR={operator} is neither in people nor a source:NAME of registrar.yml")
    return Principal(Actor(operator, name), "operator", "loopback")
