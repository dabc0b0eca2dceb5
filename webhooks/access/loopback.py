"""Whoever sits at the receiver's machine: signed in by that alone."""

import ipaddress
import re

import flask

from registrar.event import Actor
from registrar.policy import Policy
from webhooks.access.principal import Principal

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
_NAMES = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")
_NOBODY = Actor("local", "this machine")


def is_loopback(request: flask.Request) -> bool:
    """A proxy on the machine makes the world look local, and so does a web page whose host name was rebound to
    127.0.0.1: both are told apart by their headers.
    """
    proxied = any(header in request.headers for header in _FORWARDED)
    named = _NAMES.fullmatch(request.headers.get("Host", ""))
    return bool(not proxied and named and _is_loopback_address(request.remote_addr))


def local_principal(policy: Policy, operator: str | None) -> Principal:
    """operator: a person of registrar.yml, or source:NAME; None: whoever it is may look. Raises ValueError."""
    if operator is None:
        return Principal(_NOBODY, "viewer", "loopback")
    if person := policy.people.get(operator):
        return Principal(Actor(operator, person.name), "operator", "loopback")
    kind, _, name = operator.partition(":")
    if kind != "source" or name not in policy.sources:
        raise ValueError(f"REGISTRAR_LOCAL_OPERATOR={operator} is neither in people nor a source:NAME of registrar.yml")
    return Principal(Actor(operator, name), "operator", "loopback")


def _is_loopback_address(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:  # a Unix socket has none
        return False
