"""Maps an authenticated account of a proxy or provider to a person of registrar.yml, or to a guest, who may read."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from registrar.events.event import Actor
from registrar.policy import Policy
from registrar.policy.access import ROLES, Role
from webhooks.ingress.errors import NotPermitted
from webhooks.ingress.validation import clean

__all__ = ["By", "Principal", "Role"]

By = Literal["loopback", "session", "proxy", "token"]


@dataclass(frozen=True)
class Principal:
    """An authenticated client.

    actor: a person of registrar.yml; `token:NAME` for a machine's token; `local` for requests from this machine, if no
    local operator is set; `web:ACCOUNT` for a guest, who is signed in but no person of registrar.yml.
    via: the name of the token, or of the link that began the session. session: its id, to which its forms are bound.
    """

    actor: Actor
    role: Role
    by: By
    via: str | None = None
    session: str | None = field(default=None, repr=False)

    def may(self, role: Role) -> bool:
        """Return whether the principal has the role; each role includes the lesser ones."""
        return ROLES.index(self.role) >= ROLES.index(role)


# Characters of an account.
LONGEST = 250


@dataclass(frozen=True)
class Identity:
    """An account where somebody signed in. kinds: of accounts in registrar.yml that it may be. name: the display name,
    if known. subject: the OpenID provider's permanent id.
    """

    account: str
    kinds: frozenset[str]
    name: str | None = None
    subject: str | None = None


def is_account(text: str) -> bool:
    """Return whether a text can be one account. A comma: the header was sent twice, once by an attacker."""
    return 0 < len(text) <= LONGEST and text.isprintable() and "," not in text


def principal_of(policy: Policy, identity: Identity, by: By, *, at: datetime, session: str | None = None) -> Principal:
    """Return the principal of an identity. Raises NotPermitted where registrar.yml gives it no role."""
    person = policy.signed_in(identity.account, kinds=identity.kinds)
    if person and policy.role(person, at=at):
        return principal_of_person(policy, person, by, at=at, session=session)
    if policy.access.all_may_look:
        name = clean((identity.name or "").strip() or identity.account, length=LONGEST)
        return Principal(Actor(f"web:{identity.account}", name), "viewer", by, session=session)
    account = clean(identity.account, length=LONGEST)
    if person:
        raise NotPermitted(f"{account} ({person} in registrar.yml) is signed in, but has no role: add them to `access`")
    raise NotPermitted(
        f"{account} is signed in, but is nobody's account in registrar.yml: add `accounts: {{web: {account}}}` to one "
        "of `people`, and that person to `access`"
    )


def principal_of_person(
    policy: Policy, person: str, by: By, *, at: datetime, session: str | None = None, via: str | None = None
) -> Principal:
    """Return the principal of a person of registrar.yml, by their id. Raises NotPermitted where they have no role."""
    role = policy.role(person, at=at)
    if role is None:
        name = clean(person, length=LONGEST)
        known = "has no role: add them to `access`" if person in policy.people else "is not in people of registrar.yml"
        raise NotPermitted(f"{name} is signed in, but {known}")
    return Principal(Actor(person, policy.people[person].name), role, by, via=via, session=session)
