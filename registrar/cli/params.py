"""Parses and checks parameters of the command line: KEY=VALUE, JSON, times, ids and addresses."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click
from click.shell_completion import CompletionItem

from registrar.cli.lazy_group import load
from registrar.text.wording import nearest

Word = tuple[list[str], Any]


class OneOf(click.Choice[str]):
    """One of some names, in any case. A misspelt one is answered with the nearest."""

    def __init__(self, choices: Iterable[str]) -> None:
        super().__init__(choices, case_sensitive=False)

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        message = super().get_invalid_choice_message(value, ctx)
        near = nearest(str(value), self.choices)
        return f"{message} Did you mean {near}?" if near else message


class Completed(click.types.StringParamType):
    """A text that a shell completes. kind: the function of candidates.py that finds the words."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _candidates(self._kind, ctx, incomplete)


class _Version(click.IntRange):
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _candidates("versions", ctx, incomplete)


def _candidates(kind: str, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    found: list[CompletionItem] = load(f"registrar.cli.candidates:{kind}")(ctx, incomplete)
    return found


TARGET = OneOf(["Staging", "Production"])
STAGE = OneOf(["None", "Staging", "Production", "Archived"])
VERSION = _Version(1)
MODEL, OPEN, PERSON, ACTOR = map(Completed, ("models", "open_promotions", "people", "actors"))


class Tag(click.ParamType[tuple[str, str]]):
    """A tag as KEY=VALUE; its key may have dots."""

    name = "KEY=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        key, equals, text = str(value).partition("=")
        if not key or not equals:
            self.fail(f"{value!r} is not KEY=VALUE, such as team=pricing", param, ctx)
        return key, text


class Length(click.ParamType[str]):
    """A length of time as registrar.yml writes it: 90d."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            length: str = load("registrar.text.duration:checked")(value)  # it imports pydantic
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return length


class Words(click.ParamType[Word]):
    """KEY=VALUE; dots in KEY lead inside. VALUE is text, or JSON where it starts as a list, an object or a string."""

    name = "KEY=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Word:
        key, equals, text = str(value).partition("=")
        if not key or not equals:
            self.fail(f"{value!r} is not KEY=VALUE, such as run_id=0123abcd", param, ctx)
        return key.split("."), _parse_value(text)


class Header(click.ParamType[tuple[str, str]]):
    """An HTTP header as NAME:VALUE."""

    name = "NAME:VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, colon, text = str(value).partition(":")
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not colon or not text.strip().isprintable():
            self.fail(f"{value!r} is not NAME:VALUE, such as X-GitHub-Event:ping", param, ctx)
        return name, text.strip()


class Time(click.ParamType[datetime]):
    """An aware datetime from ISO 8601. Without an offset it is UTC, like all times that Registrar prints."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            time = value if isinstance(value, datetime) else datetime.fromisoformat(value.removesuffix(" UTC"))
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):  # the latter: year 1 or 9999, at the far end of a zone
            self.fail(f"{value!r} is no time such as 2026-11-22, 2026-11-22T14:30 or 2026-11-22T14:30:00+01:00")


def _parse_value(text: str) -> Any:
    """Keep numbers as text: the commit 12345678 is no number, and events accept numbers as text."""
    try:
        return json.loads(text) if text[:1] in ("[", "{", '"') else text
    except ValueError:
        return text


def nested(words: Iterable[Word]) -> dict[str, Any]:
    """Nest dotted keys: search.experiment=x is {"search": {"experiment": "x"}}. Raises UsageError if keys collide."""
    data: dict[str, Any] = {}
    for path, value in words:
        inner: Any = data
        for key in path[:-1]:
            inner = inner.setdefault(key, {}) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or path[-1] in inner:
            raise click.UsageError(f"{'.'.join(path)} is given twice, or inside of what has a value already")
        inner[path[-1]] = value
    return data


def json_object(ctx: click.Context, param: click.Parameter, text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if text is not None else {}
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise click.BadParameter('must be a JSON object, such as {"model": "churn", "run_id": "0123abcd"}')
    return value if text is not None else None


def time(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo and at.astimezone(UTC):
            return at
    except (ValueError, OverflowError):  # the latter: year 1 or 9999, at the far end of a zone
        pass
    raise click.BadParameter("must be ISO 8601 with a zone, such as 2026-11-22T12:00:00Z")


def delivery_id(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", text):
        raise click.BadParameter("takes letters, digits, _ and -, at most 256")
    return text


def url(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    if text is not None and not re.match(r"https?://[^/]", text):
        raise click.BadParameter("must be the address of a receiver, such as https://registrar.example.com")
    return text
