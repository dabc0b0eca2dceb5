"""Writes docs/reference/cli.md from the commands themselves: python -m tests.cli.manual > docs/reference/cli.md"""

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from registrar.cli import main
from registrar.cli.commands import SECTIONS

HEAD = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
BOTH = ("overview", "send", "promotions", "rollback", "prune", "adopt", "reconcile", "replay", "dead", "queue")
BOTH += ("register", "promote", "approve", "reject", "transition", "demote", "describe", "tag")
BOTH += ("archive", "fetch", "doctor", "plan", "experiments", "runs", "versions")
BOTH += ("events", "models", "history", "compare", "rejections", "policy", "audit")
_NEITHER = ("completion", "schema", "secret")  # ask nobody


def manual() -> str:
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    here = [name for name in main.lazy if name not in (*BOTH, *_NEITHER)]
    yield HEAD.format(both=_list(BOTH), here=_list(here))
    for title, commands in SECTIONS.items():
        yield f"## {title}\n"
        for name in commands:
            if command := main.get_command(click.Context(main), name):
                yield from _describe(command, f"registrar {name}", depth=3)


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _describe(command: click.Command, path: str, *, depth: int) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    usage = " ".join(piece for piece in command.collect_usage_pieces(context))
    yield f"{'#' * depth} `{path}`\n"
    yield f"    {path} {usage}\n"
    yield _help(command)
    options = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    rows = [f"| `{names}` | {_cell(text)} |" for names, text in options if "--help" not in names]
    if rows:
        yield "\n".join(["| option | |", "|---|---|", *rows]) + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if inner := command.get_command(context, name):
                yield from _describe(inner, f"{path} {name}", depth=depth + 1)


def _help(command: click.Command) -> str:
    """Paragraphs; those marked by \\b are examples."""
    found = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        marked, _, rest = paragraph.partition("\n")
        found.append("\n".join(f"    {line}" for line in rest.splitlines()) if marked == "\b" else paragraph)
    return "\n\n".join(found) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    click.echo(manual(), nl=False)
