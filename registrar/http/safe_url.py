"""Decide which URLs from requests may be called, by their text and by the resolved address.

The receiver checks before it stores an address, and the worker again before it calls it.
"""

import ipaddress
import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # https://www.rfc-editor.org/rfc/rfc6052#section-2.1


def allowed(url: str, hosts: Collection[str]) -> bool:
    """Return whether a URL is https to one of the hosts (HOST or HOST:PORT), or http to one that is loopback."""
    # Characters about which parsers disagree (white space, controls, backslashes) are refused before parsing.
    if not re.fullmatch(r"[!-\[\]-~]{1,2000}", url):
        return False
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or parts.hostname is None or (parts.scheme != "https" and not _plain_loopback(parts)):
        return False
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}" in {_with_port(host.lower()) for host in hosts}


def may_answer(peer: str, *, host: str, listed: bool) -> bool:
    """Return whether the address that a name resolved to may be called.

    listed: registrar.yml names the host, so that it may be in our own network; else only a public address may.
    Link-local (a cloud's metadata), multicast and unspecified addresses may not, unless registrar.yml names the
    address itself.
    """
    address = _embedded_ipv4(ipaddress.ip_address(peer.partition("%")[0]))
    if listed and host.strip("[]").lower() == str(address):
        return True
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return listed or address.is_global


def is_loopback(host: str) -> bool:
    """Return whether a host is loopback, by its text."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def at_loopback(url: str) -> bool:
    """Return whether a URL's host is loopback, by its text; False for malformed URLs."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and not set("@\\ ") & set(parts.netloc)
        return plain and is_loopback(parts.hostname or "")
    except ValueError:
        return False


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address inside an IPv6 one (mapped, 6to4, NAT64), else the address."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _with_port(host: str) -> str:
    """Return HOST:PORT; the default port is 443."""
    return host if re.search(r":[0-9]+$", host) else f"{host}:443"


def _plain_loopback(parts: SplitResult) -> bool:
    return parts.scheme == "http" and parts.hostname is not None and is_loopback(parts.hostname)
