"""Ends a command that fails with one sentence on stderr and an exit code, without a traceback."""

import errno
import importlib
import re
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterable
from typing import IO, Any

import click

from registrar.errors import UserError
from registrar.text.sanitize import shown

DISTRIBUTION = "mlflow-registrar"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+).*\bextra == ['\"](?P<extra>[\w-]+)['\"]")
# The one package of ours whose distribution has another name.
_DISTRIBUTED_AS = {"sklearn": "scikit_learn"}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_PERMITTED = {errno.EACCES, errno.EPERM, errno.EROFS}


class NotInstalled(UserError):
    """A command needs a package of an extra that is not installed here."""


class UnexpectedError(UserError):
    """A system error or a bug of Registrar; `python -X dev -m registrar ...` shows where."""


class ReportedError(click.ClickException):
    """Ends a command with the message and the exit code of a UserError."""

    def __init__(self, problem: UserError) -> None:
        super().__init__(shown(str(problem), lines=True))
        self.exit_code = problem.exit_code  # type: ignore[misc]  # click's own subclasses set it on the class

    def show(self, file: IO[Any] | None = None) -> None:
        lines = [f"registrar: {line}" for line in self.message.splitlines() or [""]]
        click.echo("\n".join(lines), file=file, err=file is None)


def extra_of(package: str) -> str | None:
    """Return the smallest extra of pyproject.toml that brings an importable package, such as "receiver" for flask."""
    wanted = _DISTRIBUTED_AS.get(package, package)
    extras = _extras()
    bringing = [extra for extra, names in extras.items() if any(f"{name}_".startswith(f"{wanted}_") for name in names)]
    return min(bringing, key=lambda extra: len(extras[extra]), default=None)


def _extras() -> dict[str, set[str]]:
    """Return the distributions of each extra, as the installed metadata has them: {"worker": {"mlflow_skinny"}}."""
    extras = defaultdict(set)
    metadata = importlib.import_module("importlib.metadata")  # needed where something is missing alone
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from a checkout that was not installed
        requirements = []
    for requirement in requirements:
        if found := _REQUIREMENT.match(requirement):
            extras[found["extra"]].add(re.sub(r"[-.]+", "_", found["name"]))
    return extras


def install_command(extra: str) -> str:
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def not_installed(command: str, packages: Iterable[str], *, extra: str) -> NotInstalled:
    names = " and ".join(sorted(packages))
    return NotInstalled(f"`registrar {command}` needs {names}, which is not installed: {install_command(extra)}")


def missing_extra(error: ModuleNotFoundError, command: str) -> NotInstalled | None:
    """Say which extra to install; None for a package that no extra brings."""
    package = (error.name or "").partition(".")[0]
    extra = extra_of(package)
    return not_installed(command, [package], extra=extra) if extra else None


def as_user_error(error: Exception, command: str) -> UserError | None:
    """Return what to tell a person; None for click's own ways to end a command. Raises the error in Python's -X dev."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, ModuleNotFoundError) and (missing := missing_extra(error, command)):
        return missing
    if _is_clicks(error):
        return None
    if sys.flags.dev_mode:
        raise error
    return UnexpectedError(_describe_system(error) if isinstance(error, OSError) else _describe_fault(error))


def _is_clicks(error: Exception) -> bool:
    """Return whether click itself ends a command so: a usage error, an exit, Ctrl-C, or a reader that went away."""
    own = (click.ClickException, click.exceptions.Exit, click.Abort)
    return isinstance(error, own) or (isinstance(error, OSError) and error.errno == errno.EPIPE)


def _describe_system(error: OSError) -> str:
    what = error.filename if isinstance(error.filename, str) else "what is written to"
    if error.errno in _NO_ROOM:
        return f"{what} has no room left: {error.strerror}"
    if error.errno in _NOT_PERMITTED:
        return f"{what} can't be used by this user: {error.strerror}"
    return f"{what}: {error.strerror}" if error.strerror else f"{type(error).__name__}: {error}"


def _describe_fault(error: Exception) -> str:
    """Name the line of code, and the first line of the error's message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    message = next(iter(str(error).splitlines()), "")[:300]
    return (
        f"{type(error).__name__}: {message}{place}\nThis is a fault of Registrar: please report it, with what "
        "`python -X dev -m registrar` says in place of `registrar`"
    )
