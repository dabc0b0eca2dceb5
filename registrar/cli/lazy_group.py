"""Finds commands without importing them: `registrar --help` must not wait for MLflow to load."""

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import InspectLoader
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import IO, Any

import click

from registrar.cli import unexpected_errors
from registrar.errors import UserError
from registrar.text.wording import nearest

_DECORATORS = ("click.command", "click.group")


@dataclass(frozen=True)
class Line:
    """One command of `registrar --help`."""

    name: str
    help: str
    module: str


def outline(module: str) -> list[Line]:
    """The decorated functions of a module; none where it is not installed or has no source."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return []
    if spec is None or not isinstance(spec.loader, InspectLoader):
        return []
    source = spec.loader.get_source(module)
    return [Line(name, text, module) for name, text in _commands(ast.parse(source or ""))]


def _commands(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            for decorator in function.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in _DECORATORS:
                    yield _name(function, decorator), (ast.get_docstring(function) or "").partition("\n")[0]


def _name(function: ast.FunctionDef, decorator: ast.Call) -> str:
    """The decorator's first argument, else the function's name as click spells it."""
    if decorator.args and isinstance(first := decorator.args[0], ast.Constant):
        return str(first.value)
    return function.name.removesuffix("_command").replace("_", "-")


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


GROUP = "registrar.commands"
# A command that is in none is listed under "More".
SECTIONS = {
    "Start here": ("up", "demo", "doctor", "overview"),
    "Ask for something": ("send", "promotions", "rollback", "plan", "prune", "reconcile", "replay", "dead", "queue"),
    "Look things up": ("events", "models", "history", "rejections", "policy", "audit"),
    "Look into MLflow": ("experiments", "runs", "versions"),
    "Set up and look after": (
        "check-config",
        "schema",
        "secret",
        "token",
        "address",
        "migrate",
        "alive",
        "archive",
        "completion",
    ),
}


class LazyGroup(click.Group):
    """Its commands are those of the plug-ins (registrar/cli/__init__.py says what one is)."""

    @cached_property
    def lines(self) -> dict[str, Line]:
        """Every command's name, help line and module."""
        return {line.name: line for module in _modules() for line in outline(module)}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lines:
            return None
        try:
            offered = importlib.import_module(self.lines[cmd_name].module).commands
        except ModuleNotFoundError as error:
            raise missing(cmd_name, error) from error
        return next((command for command in offered if command.name == cmd_name), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """click looks for the nearest name among commands that are imported already: here none is."""
        name = args[0]
        if name not in self.lines and not name.startswith("-") and (near := nearest(name, self.lines)):
            ctx.fail(f"No such command {name!r}. Did you mean {near!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        grouped = {name for names in SECTIONS.values() for name in names}
        others = [name for name in self.list_commands(ctx) if name not in grouped]
        for title, names in {**SECTIONS, "More": others}.items():
            if known := [name for name in names if name in self.lines]:
                with formatter.section(title):
                    formatter.write_dl([(name, _help(self.lines[name])) for name in known])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as problem:
            raise ReportedError(problem) from problem
        except ModuleNotFoundError as error:
            raise ReportedError(_missing(ctx, error)) from error
        except Exception as error:  # the one handler of the command line: no traceback reaches a person
            if unexpected_errors.is_clicks(error):
                raise
            raise ReportedError(unexpected_errors.problem(error)) from error


class ReportedError(click.ClickException):
    """A Problem, as click ends a command: its message on stderr, its exit code."""

    def __init__(self, problem: UserError) -> None:
        super().__init__(str(problem))
        self.exit_code = problem.exit_code  # type: ignore[misc]  # click's own subclasses set it on the class

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"registrar: {self.message}", file=file, err=file is None)


def _missing(ctx: click.Context, error: ModuleNotFoundError) -> UserError:
    try:
        return missing(ctx.invoked_subcommand or "registrar", error)
    except ModuleNotFoundError:
        return unexpected_errors.problem(error)


def _modules() -> Iterator[str]:
    package = importlib.import_module("registrar.cli")
    yield from (found.name for found in pkgutil.iter_modules(package.__path__, "registrar.cli."))
    yield from (entry.module for entry in entry_points(group=GROUP))


def _help(line: Line) -> str:
    install = to_install(line.module)
    return f"(not available: {install}) {line.help}" if install else line.help
