"""Who may use the pages and the API."""

from typing import Literal, get_args

Role = Literal["viewer", "approver", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)  # each includes those before it
