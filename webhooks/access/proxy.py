"""Whom a trusted proxy vouches for: it says in a header who they are, and nobody else may."""

from ipaddress import IPv6Address, ip_address, ip_network

import flask

from registrar.policy.access import TrustedProxy
from webhooks.access.identity import Identity, is_account
from webhooks.errors import NotSignedIn


class Proxy:
    """config: None where no proxy is trusted."""

    def __init__(self, config: TrustedProxy | None) -> None:
        self._config = config
        self._networks = [ip_network(network) for network in config.networks] if config else []

    def sent(self, request: flask.Request) -> bool:
        """Whether it comes from the proxy: then it is nobody who sits at this machine, whatever else it looks like."""
        try:
            address = ip_address((request.remote_addr or "").partition("%")[0])
        except ValueError:  # a Unix socket has none
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def identity(self, request: flask.Request) -> Identity | None:
        """None: it vouches for nobody. Raises NotSignedIn for what can be nobody's account."""
        if self._config is None or not self.sent(request):
            return None
        account = request.headers.get(self._config.header, "").strip()
        if not account:
            return None
        if not is_account(account):
            raise NotSignedIn(f"the proxy's header {self._config.header} holds no single account")
        named = self._config.name_header
        return Identity(account, request.headers.get(named, "").strip() or None if named else None)
