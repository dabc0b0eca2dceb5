"""Who is asking, and how they were signed in."""

from dataclasses import dataclass, field
from typing import Literal

from registrar.events.event import Actor
from registrar.policy.access import ROLES, Role

__all__ = ["By", "Principal", "Role"]

By = Literal["loopback", "session", "proxy", "token"]


@dataclass(frozen=True)
class Principal:
    """actor: a person of registrar.yml; `token:NAME` for a machine's token; `local` for whoever sits at this machine
    where no local operator is named; `web:ACCOUNT` for a guest: signed in, may look, and is no person of ours.

    via: what more there is to say of how: the token's name. session: of a session, what its forms are bound to.
    """

    actor: Actor
    role: Role
    by: By
    via: str | None = None
    session: str | None = field(default=None, repr=False)

    def may(self, role: Role) -> bool:
        """Each role includes those before it."""
        return ROLES.index(self.role) >= ROLES.index(role)
