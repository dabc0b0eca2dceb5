"""The base of errors that are shown to people as a sentence, without a traceback."""

from typing import ClassVar


class UserError(Exception):
    """The message says what is wrong, and what to do. exit_code: that of the command line."""

    exit_code: ClassVar[int] = 1
