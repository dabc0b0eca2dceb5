"""Who asks for pages and the API, what they may, and that it is they who do.

A bearer of a token, whoever a trusted proxy or an OpenID provider vouches for, or whoever sits at this machine.
"""

import flask

from registrar.policy import Policy
from registrar.policy.access import Role
from registrar.settings import Settings
from webhooks.access.forms import Forms
from webhooks.access.keys import signer
from webhooks.access.loopback import is_loopback, local_principal
from webhooks.access.principal import Principal
from webhooks.errors import NotPermitted, NotSignedIn

__all__ = ["Access", "Principal", "Role"]

_READS = frozenset({"GET", "HEAD"})


class Access:
    """One per app. Raises ValueError where a setting can't work."""

    def __init__(self, settings: Settings, policy: Policy) -> None:
        self._local = local_principal(policy, settings.local_operator)
        self._forms = Forms(signer(settings.secret_key, "form"), settings.public_url)

    def principal(self, request: flask.Request) -> Principal | None:
        """None: nobody knows who it is."""
        return self._local if is_loopback(request) else None

    def require(self, request: flask.Request, role: Role) -> Principal:
        """Who asks, if they may. Raises NotSignedIn, NotPermitted; and CrossSite for what changes something and does
        not come from one of our pages.
        """
        principal = self.principal(request)
        if principal is None:
            raise NotSignedIn(
                "say who you are: Authorization: Bearer TOKEN, of `registrar token create`; "
                "or ask http://127.0.0.1 on the receiver's machine, without a proxy"
            )
        if not principal.may(role):
            raise NotPermitted(
                f"{principal.actor.name} is signed in as {principal.role}, and this takes {role} "
                "(access in registrar.yml, or another token)"
            )
        if request.method not in _READS:
            self.check_csrf(request, principal)
        return principal

    def csrf_token(self, principal: Principal) -> str:
        """For the field `csrf` of a form, or the header X-CSRF-Token."""
        return self._forms.token(principal)

    def check_csrf(self, request: flask.Request, principal: Principal) -> None:
        """`require` has asked already. Raises CrossSite."""
        self._forms.check(request, principal)
