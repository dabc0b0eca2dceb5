"""What a person can mend: said in a sentence, never shown as a traceback."""

from typing import ClassVar


class UserError(Exception):
    """Raised where the message says all: what is wrong, and what to do. exit_code: of the command line."""

    exit_code: ClassVar[int] = 1
