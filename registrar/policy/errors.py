"""What is wrong with a registrar.yml: where, and in a sentence."""

from typing import TypeAlias

from registrar.errors import UserError

Place: TypeAlias = tuple[str | int, ...]  # keys and indices from the top of the file
Complaint: TypeAlias = tuple[Place, str]


class PolicyError(UserError, ValueError):
    """registrar.yml can't be used; one line per complaint, as FILE:LINE: KEY: what is wrong."""

    exit_code = 2
