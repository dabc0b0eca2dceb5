"""The client's address and account, as a trusted proxy passes them on. Headers of other peers are ignored.

The address is in X-Forwarded-For (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For).
`Forwarded` (RFC 7239) and X-Real-IP are not read: a proxy that appends to one passes the others on as the client sent
them.

The account is in the header that registrar.yml names. WSGI can't tell X_Forwarded_Email from X-Forwarded-Email: both
are HTTP_X_FORWARDED_EMAIL. A proxy drops or overwrites only the name with dashes, so the server must drop names with
an underscore before it makes the environ: our receiver does, as do gunicorn (header_map = "drop"), waitress and
werkzeug's server.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import flask

from registrar.policy.access import TrustedProxy
from webhooks.auth.identity import Identity, is_account
from webhooks.ingress.errors import NotSignedIn

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HEADER = "X-Forwarded-For"
# Proxies in a row: far more than anybody has. The bound keeps a long header from costing more than 0.1 ms.
MOST_HOPS = 10
# Characters of an entry: an IPv6 address, a zone, brackets, a port and blanks.
LONGEST_ENTRY = 80
_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


def client_address(peer: str | None, forwarded_for: str | None, networks: Iterable[Network]) -> str | None:
    """Return the address that a request counts against. None: the peer has none, as on a Unix socket.

    It is the peer's unless that lies in `networks`. Then it is the right-most address of X-Forwarded-For that does not:
    each proxy appends its peer, so entries further left are only that peer's claim. Several headers are joined
    by commas, in their order. An entry that is no address ends the walk, and the address before it (to its right)
    counts; so does the left-most one where all are proxies. A port is dropped, as is a zone; IPv4 in IPv6 is IPv4.
    """
    nearest = parse_address(peer)
    if nearest is None:
        return None
    for entry in _from_the_right(forwarded_for or ""):
        if not is_within(nearest, networks) or (farther := _address_of(entry)) is None:
            break
        nearest = farther
    return str(nearest)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse access.trusted_proxy.networks. Raises ValueError; registrar.yml was checked before."""
    return tuple(ip_network(text) for text in texts)


def parse_address(text: str | None) -> Address | None:
    """Parse an address without its zone, IPv4 in IPv6 as IPv4. None: the text is no address."""
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Return whether an address lies in one of the networks; None does not."""
    return address is not None and any(address in network for network in networks)


def _from_the_right(header: str) -> Iterator[str]:
    """Yield up to MOST_HOPS entries, the right-most first; an overlong one is empty. Copies nothing else."""
    end = len(header)
    for _ in range(MOST_HOPS):
        comma = header.rfind(",", 0, end)
        yield header[comma + 1 : end] if end - comma <= LONGEST_ENTRY else ""
        if comma < 0:
            return
        end = comma


def _address_of(entry: str) -> Address | None:
    """Parse an entry. Some proxies append a port: 192.0.2.7:5678, [2001:db8::7]:80."""
    host = entry.strip(" \t")
    if match := _WITH_PORT.fullmatch(host):
        host = match[1] or match[2]
    return parse_address(host)


class Proxy:
    """The trusted proxy of registrar.yml. config None: no proxy is trusted."""

    def __init__(self, config: TrustedProxy | None) -> None:
        self._config = config
        self._networks = parse_networks(config.networks) if config else ()

    def sent(self, request: flask.Request) -> bool:
        """Return whether the proxy sent the request. Such a request is not a local one."""
        return is_within(parse_address(request.remote_addr), self._networks)

    def client_address(self, request: flask.Request) -> str | None:
        """Return the address that a request counts against: the peer's, or the one that the proxy names."""
        return client_address(request.remote_addr, request.headers.get(HEADER), self._networks)

    def identity(self, request: flask.Request) -> Identity | None:
        """Return the account that the proxy names, if any. Raises NotSignedIn for a malformed one."""
        if self._config is None or self._config.header is None or not self.sent(request):
            return None
        account = request.headers.get(self._config.header, "").strip()
        if not account:
            return None
        if not is_account(account):
            raise NotSignedIn(f"the proxy's header {self._config.header} must hold one account")
        name_header = self._config.name_header
        name = request.headers.get(name_header, "").strip() or None if name_header else None
        return Identity(account, self._config.account_kinds, name)
