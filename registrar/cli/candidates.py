"""The words that a shell offers for a parameter: models, versions and people, of the record and registrar.yml.

Fast, and silent: whatever goes wrong, nothing is offered. A receiver elsewhere has a second to answer.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from registrar.cli.context import Context
from registrar.errors import UserError
from registrar.queries.filters import OPEN
from registrar.queries.query_service import MOST, QueryService

SECONDS = 1.0  # for an answer from elsewhere
Words = Iterator[tuple[str, str]]  # each with what it is
_SILENT = (UserError, OSError, ImportError, LookupError, ValueError, TypeError)


def _offered(find: Callable[[QueryService, click.Context], Words]) -> Callable[..., list[CompletionItem]]:
    """Make a function that returns the words which begin as typed."""

    @wraps(find)
    def offered(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        try:
            with _context(ctx).reading() as reading:
                return list(_beginning(find(reading, ctx), incomplete))
        except _SILENT:
            return []

    return offered


def _beginning(words: Iterable[tuple[str, str]], incomplete: str) -> Iterator[CompletionItem]:
    for word, about in dict(words).items():
        if word.lower().startswith(incomplete.lower()):
            yield CompletionItem(word, help=about or None)


def _context(ctx: click.Context) -> Context:
    """Return the context that the command would have; a line that is completed runs no command, nor its group."""
    root = ctx.find_root()
    named = root.get_parameter_source("url") is ParameterSource.COMMANDLINE
    return Context(root.params["data"], root.params["url"], root.params["token_file"], named, answer_within=SECONDS)


@_offered
def models(reading: QueryService, ctx: click.Context) -> Words:
    for row in reading.models(limit=MOST).rows:
        yield row["model"], ", ".join(f"{holder['key']} {holder['version']}" for holder in row["holders"])


@_offered
def open_promotions(reading: QueryService, ctx: click.Context) -> Words:
    rows = reading.promotions(state=OPEN, limit=MOST).rows
    for row in rows:
        yield row["model"], f"version {row['version']} to {row['target']}"
    for row in rows:
        yield row["id"], f"{row['model']} version {row['version']} to {row['target']}"


@_offered
def versions(reading: QueryService, ctx: click.Context) -> Words:
    """Those that the record tells of: with an open promotion, where one is meant; else holders and all promotions."""
    model = ctx.params.get("model") or ctx.params["promotion"]
    state = OPEN if "promotion" in ctx.params else None
    if state is None:
        for holder in reading.model(model)["holders"]:
            yield str(holder["version"]), f"{'@' if holder['kind'] == 'alias' else ''}{holder['key']}"
    for row in reading.promotions(model=model, state=state, limit=MOST).rows:
        yield str(row["version"]), f"{row['state'].replace('_', ' ')}: {row['target']}"


@_offered
def people(reading: QueryService, ctx: click.Context) -> Words:
    for id_, person in (reading.policy()["document"].get("people") or {}).items():
        yield id_, str(person.get("name") or "")


@_offered
def actors(reading: QueryService, ctx: click.Context) -> Words:
    document = reading.policy()["document"]
    for id_, person in (document.get("people") or {}).items():
        yield id_, str(person.get("name") or "")
    for name in document.get("sources") or {}:
        yield f"source:{name}", ""
