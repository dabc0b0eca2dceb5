"""Reads the account that a trusted proxy names in a header. Headers of other peers are ignored.

WSGI knows no difference between X_Forwarded_Email and X-Forwarded-Email: both are HTTP_X_FORWARDED_EMAIL. A proxy drops
or overwrites only the name with dashes, so the server must drop names with an underscore before it makes the environ:
our receiver does, and so do gunicorn (header_map = "drop"), waitress and werkzeug's.
"""

import flask

from registrar.policy.access import TrustedProxy
from webhooks.auth.client_address import HEADER, client_address, is_within, parse_address, parse_networks
from webhooks.auth.identity import Identity, is_account
from webhooks.ingress.errors import NotSignedIn


class Proxy:
    """The trusted proxy of registrar.yml. config None: no proxy is trusted."""

    def __init__(self, config: TrustedProxy | None) -> None:
        self._config = config
        self._networks = parse_networks(config.networks) if config else ()

    def sent(self, request: flask.Request) -> bool:
        """Return whether the proxy sent the request, which is then no local one."""
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
            raise NotSignedIn(f"the proxy's header {self._config.header} holds no single account")
        named = self._config.name_header
        name = request.headers.get(named, "").strip() or None if named else None
        return Identity(account, self._config.account_kinds, name)
