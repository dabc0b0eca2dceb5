"""What no command expected, as a sentence: a disk without room, a folder that may not be written, a fault of ours."""

import errno
import sys
import traceback

import click

from registrar.errors import UserError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_MAY_NOT = {errno.EACCES, errno.EPERM, errno.EROFS}


class Unforeseen(UserError):
    """The message says what it was; `python -X dev -m registrar ...` shows where."""


def is_clicks(error: Exception) -> bool:
    """Whether click itself ends a command so: a usage error, an exit, Ctrl-C, or a reader that went away."""
    own = (click.ClickException, click.exceptions.Exit, click.Abort)
    return isinstance(error, own) or (isinstance(error, OSError) and error.errno == errno.EPIPE)


def problem(error: Exception) -> UserError:
    """Raises the error itself where Python runs in its development mode."""
    if sys.flags.dev_mode:
        raise error
    return Unforeseen(_of_system(error) if isinstance(error, OSError) else _of_ours(error))


def _of_system(error: OSError) -> str:
    what = error.filename if isinstance(error.filename, str) else "what is written to"
    if error.errno in _NO_ROOM:
        return f"{what} has no room left: {error.strerror}"
    if error.errno in _MAY_NOT:
        return f"{what} can't be used by this user: {error.strerror}"
    return f"{what}: {error.strerror}" if error.strerror else f"{type(error).__name__}: {error}"


def _of_ours(error: Exception) -> str:
    """Where it was raised, on one line, and not what a library had to say over many."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    said = next(iter(str(error).splitlines()), "")[:300]
    return (
        f"{type(error).__name__}: {said}{place}\nThis is a fault of Registrar: please report it, with what "
        "`python -X dev -m registrar` says in place of `registrar`"
    )
