"""What must be installed for which command: the parts of Registrar are installed apart."""

from collections.abc import Iterable
from importlib.util import find_spec

from registrar.errors import UserError

# What each extra of pyproject.toml brings, by the name it is imported by.
_BROUGHT_BY = {
    "authlib": "receiver",
    "flask": "receiver",
    "granian": "receiver",
    "mlflow": "worker",
    "psutil": "embedded",
    "sklearn": "embedded",
    "psycopg": "postgres",
}
# A package of ours that is of no use without another.
_NEEDS = {"worker": "mlflow", "webhooks": "flask"}


class NotInstalled(UserError):
    """A command of a part that is not installed here."""


def to_install(module: str) -> str | None:
    """What to install for a module's commands; None where nothing is known to lack."""
    needed = _NEEDS.get(module.partition(".")[0])
    return None if needed is None or find_spec(needed) else _pip(needed)


def missing(command: str, error: ModuleNotFoundError) -> UserError:
    """The sentence for a module that is not there. Raises the error itself where it is no extra's."""
    package = (error.name or "").partition(".")[0]
    if package not in _BROUGHT_BY:
        raise error
    return NotInstalled(f"`registrar {command}` needs {package}, which is not installed: {_pip(package)}")


def lacking(command: str, packages: Iterable[str]) -> NotInstalled:
    """The sentence for several: what a command starts that is of other parts."""
    names = sorted(packages)
    part = "postgres" if names == ["psycopg"] else "embedded"
    return NotInstalled(
        f"`registrar {command}` needs {' and '.join(names)}, which is not installed: "
        f"pip install 'mlflow-registrar[{part}]'"
    )


def _pip(package: str) -> str:
    return f"pip install 'mlflow-registrar[{_BROUGHT_BY[package]}]'"
