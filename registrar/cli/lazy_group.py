"""Imports commands only when they are used, so that `registrar --help` need not wait for MLflow to load.

click's recipe: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import click
from click.shell_completion import CompletionItem

from registrar.cli.errors import ReportedError, as_user_error, extra_of, install_command, missing_extra
from registrar.text.wording import nearest


@dataclass(frozen=True)
class LazyCommand:
    """path: "module:attribute" of a click.Command. help: its line in `registrar --help`.

    needs: a package of an extra without which the command can't work.
    """

    path: str
    help: str
    needs: str | None = None

    @property
    def line(self) -> str:
        extra = extra_of(self.needs) if self.needs and find_spec(self.needs) is None else None
        return f"(not available: {install_command(extra)}) {self.help}" if extra else self.help


def load(path: str) -> Any:
    """Import the object at "module:attribute"."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


class LazyGroup(click.Group):
    """A group that lists its commands by section, and imports each when it is used."""

    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, LazyCommand]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.lazy = {name: command for commands in sections.values() for name, command in commands.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        try:
            command: click.Command = load(self.lazy[cmd_name].path)
        except ModuleNotFoundError as error:
            if ctx.resilient_parsing:
                return None
            raise missing_extra(error, cmd_name) or error from error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest name, which click does for imported commands only; not while a shell completes a line."""
        name = args[0]
        unknown = name not in self.lazy and not name.startswith("-") and not ctx.resilient_parsing
        if unknown and (near := nearest(name, self.lazy)):
            ctx.fail(f"No such command {name!r}. Did you mean {near!r}?")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands by their lines here: click's own way imports each, for seconds at every TAB."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self.lazy[name].help) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, command.line) for name, command in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:  # the one handler of the command line: no traceback reaches a person
            if problem := as_user_error(error, ctx.invoked_subcommand or "registrar"):
                raise ReportedError(problem) from error
            raise
