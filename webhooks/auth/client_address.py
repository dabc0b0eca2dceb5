"""Decides which address a request counts against: the peer's, or the one that a trusted proxy passes on.

Only X-Forwarded-For is read (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For).
`Forwarded` (RFC 7239) and X-Real-IP are not: a proxy that appends to one passes the others on as the client sent them.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HEADER = "X-Forwarded-For"
# Proxies in a row. Nobody has so many; the bound keeps a long header from costing more than 0.1 ms.
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
    if found := _WITH_PORT.fullmatch(host):
        host = found[1] or found[2]
    return parse_address(host)
