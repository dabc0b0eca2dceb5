"""Who may use the pages and the API: people of this file, by name or by group."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from registrar.policy.strict import Strict

Role = Literal["viewer", "approver", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)  # each includes those before it
EVERYBODY = "*"

Who = Annotated[str, Field(min_length=1, max_length=64)]


def lesser(one: Role, other: Role) -> Role:
    """The one of two roles that may do less."""
    return min(one, other, key=ROLES.index)


class Access(Strict):
    """Default: nobody. Whoever is in an approval group of any model is an approver at least.

    A role says which pages and commands there are; whose vote counts, groups say, as in chat.
    """

    viewers: Annotated[
        list[Who], Field(description='may look: people and groups of this file; ["*"]: whoever can sign in')
    ] = []
    approvers: Annotated[list[Who], Field(description="may look and say yes or no: people and groups")] = []
    operators: Annotated[list[Who], Field(description="may ask for anything: people and groups of this file")] = []

    def named(self, role: Role) -> list[str]:
        """Who stands in the list of a role."""
        return {"viewer": self.viewers, "approver": self.approvers, "operator": self.operators}[role]
