"""Maps an account that a proxy or provider vouches for to a person of registrar.yml, or to a guest who may read."""

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
    """actor: a person of registrar.yml; `token:NAME` for a machine's token; `local` for requests from this machine
    where no local operator is named; `web:ACCOUNT` for a guest: signed in, may look, and is no person of ours.

    via: what more there is to say of how: the token's name. session: of a session, what its forms are bound to.
    """

    actor: Actor
    role: Role
    by: By
    via: str | None = None
    session: str | None = field(default=None, repr=False)

    def may(self, role: Role) -> bool:
        """Return whether the role suffices; each role includes the lesser ones."""
        return ROLES.index(self.role) >= ROLES.index(role)


LONGEST = 250  # characters of an account


@dataclass(frozen=True)
class Identity:
    """account: what they are called where they signed in. kinds: of people's accounts that it may be one of. name: for
    people to read; None: nobody said. subject: what an OpenID provider knows them by for good.
    """

    account: str
    kinds: frozenset[str]
    name: str | None = None
    subject: str | None = None


def is_account(text: str) -> bool:
    """Return whether a text can be one account. A comma means that the header was sent twice, once by an attacker."""
    return 0 < len(text) <= LONGEST and text.isprintable() and "," not in text


def principal_of(policy: Policy, identity: Identity, by: By, *, at: datetime, session: str | None = None) -> Principal:
    """Return the principal of an identity. Raises NotPermitted where registrar.yml gives it no role."""
    person = policy.signed_in(identity.account, kinds=identity.kinds)
    if person and (role := policy.role(person, at=at)):
        return Principal(Actor(person, policy.people[person].name), role, by, session=session)
    if policy.access.all_may_look:
        name = clean((identity.name or "").strip() or identity.account, length=LONGEST)
        return Principal(Actor(f"web:{identity.account}", name), "viewer", by, session=session)
    who = clean(identity.account, length=LONGEST)
    known = (
        f"who is {person} there, has no role: add them to `access`"
        if person
        else (f"is nobody's account there: add `accounts: {{web: {who}}}` to one of people, and them to `access`")
    )
    raise NotPermitted(f"{who} is signed in, and registrar.yml lets them do nothing: {who} {known}")
