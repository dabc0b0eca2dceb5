"""Who may ask: until there are tokens, this machine alone."""

import ipaddress
import re

from flask import Request

from webhooks.errors import NotPermitted

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
_LOOPBACK_NAMES = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")


class Gate:
    """A proxy on this machine makes the world look local, and so does a web page whose host name was rebound to
    127.0.0.1: both are told apart by their headers.
    """

    def require(self, arriving: Request) -> None:
        """Raises NotPermitted."""
        if not _from_here(arriving):
            raise NotPermitted("lists are shown to this machine only: ask http://127.0.0.1 on it, without a proxy")


def _from_here(arriving: Request) -> bool:
    proxied = any(header in arriving.headers for header in _FORWARDED)
    named = _LOOPBACK_NAMES.fullmatch(arriving.headers.get("Host", ""))
    return not proxied and bool(named) and _loopback(arriving.remote_addr)


def _loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:  # a Unix socket has none
        return False
