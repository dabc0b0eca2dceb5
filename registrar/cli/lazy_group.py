"""Finds commands without importing them: `registrar --help` must not wait for MLflow to load."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import entry_points
from typing import IO, Any

import click

from registrar.cli import extras, unexpected_errors
from registrar.cli.command_index import Line, outline
from registrar.errors import UserError
from registrar.text.suggestions import nearest

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
            raise extras.missing(cmd_name, error) from error
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
        return extras.missing(ctx.invoked_subcommand or "registrar", error)
    except ModuleNotFoundError:
        return unexpected_errors.problem(error)


def _modules() -> Iterator[str]:
    package = importlib.import_module("registrar.cli")
    yield from (found.name for found in pkgutil.iter_modules(package.__path__, "registrar.cli."))
    yield from (entry.module for entry in entry_points(group=GROUP))


def _help(line: Line) -> str:
    install = extras.to_install(line.module)
    return f"(not available: {install}) {line.help}" if install else line.help
