"""The address for an answer that a chat system sends along: only to its own hosts, and sealed before it is kept.

Without the check a signed request could make the worker post anywhere (server-side request forgery).
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from webhooks.errors import InvalidEvent
from webhooks.source import Context

_PORTS = {"https": 443, "http": 80}


def seal(url: str, *, kind: str, hosts: Collection[str], context: Context) -> str:
    """The sealed address. hosts: the kind's own; the source's reply_to in registrar.yml goes before them.

    Raises InvalidEvent for any other host. http is taken for listed loopback addresses only.
    """
    if not _allowed(url, context.config.reply_to or hosts):
        raise InvalidEvent(
            "the address for the answer is not one of this chat system's; "
            f"to allow its host, list it in sources.{context.name}.reply_to of registrar.yml"
        )
    return context.seal.close({"kind": kind, "url": url})


def _allowed(url: str, hosts: Collection[str]) -> bool:
    # What parsers disagree about (white space, controls, backslashes) is refused before any of them looks at it.
    if not re.fullmatch(r"[!-\[\]-~]{1,2000}", url):
        return False
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or parts.hostname is None or (parts.scheme != "https" and not _plain_loopback(parts)):
        return False
    named = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{named}:{port}" in {_with_port(host.lower()) for host in hosts}


def _with_port(host: str) -> str:
    """A listed host without a port is meant on 443."""
    return host if re.search(r":[0-9]+$", host) else f"{host}:443"


def _plain_loopback(parts: SplitResult) -> bool:
    if parts.scheme != "http" or parts.hostname is None:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
