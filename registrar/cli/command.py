"""What commands that change something share: they are given to a receiver's /v1/commands, and waited for."""

import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any, NoReturn
from urllib.parse import urljoin

import click
from pydantic import ValidationError

from registrar.cli import show
from registrar.cli.context import Context
from registrar.delivery import Receipt, Unreachable, follow
from registrar.vocabulary import UnknownType, parse

FAILED = 1

Then = Callable[[dict[str, Any]], str]


@dataclass(frozen=True)
class How:
    """What `options` made of the command line. wait: seconds to wait for the end of an event; None: do not wait."""

    context: Context
    wait: float | None
    as_json: bool


def options(*, wait: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of every command that waits for an event; it is called with `how`. wait: the default."""
    shared = (
        click.option("--wait/--no-wait", default=wait, help="Wait until all is done, and print what came of it."),
        click.option("--timeout", default=300.0, show_default=True, metavar="SECONDS", help="How long --wait waits."),
        show.as_json,
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        called: Callable[..., Any] = _called(command)
        for option in reversed(shared):
            called = option(called)
        return called

    return add


def _called(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def called(*args: Any, wait: bool, timeout: float, as_json: bool, **more: Any) -> Any:
        how = How(click.get_current_context().obj, timeout if wait else None, as_json)
        return command(*args, how=how, **more)

    return called


def new_id() -> str:
    """Of a delivery, or the Idempotency-Key of a command."""
    return f"msg_{uuid.uuid4().hex}"


def check(type_: str, data: dict[str, Any]) -> None:
    """Refuse what the receiver would refuse. Raises click.UsageError."""
    try:
        parse(type_, data)
    except UnknownType as error:
        raise click.UsageError(str(error)) from None
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, e['loc'])) or 'data'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_url=False)
        ]
        raise click.UsageError("\n  ".join([f"this is no {type_}:", *wrong])) from None


def do(ctx: click.Context, how: How, type_: str, data: dict[str, Any], *, then: Then | None = None) -> NoReturn:
    """Give one command, tell of it, and exit. then: as of `tell`. Raises Problem, click.UsageError."""
    check(type_, data)
    ctx.exit(tell([give(how.context, type_, data)], how, then=then, token=how.context.receiver.token))


def give(context: Context, type_: str, data: dict[str, Any]) -> Receipt:
    """As the token's bearer, or as this machine's local operator. Raises Problem."""
    receiver = context.receiver
    try:
        return receiver.command(type_, data, key=new_id())
    except Unreachable as error:
        if context.remote:
            raise
        raise Unreachable(f"{error} `registrar up` starts it, or REGISTRAR_LOCAL_URL says where it listens") from None


def tell(receipts: Sequence[Receipt], how: How, *, then: Then | None = None, token: str | None = None) -> int:
    """Return the exit code. token: of the receiver that gave the receipts.

    then: of an event that succeeded, the id of the one that goes on with it: waited for in its turn.
    """
    with show.working("waiting for what comes of it") if how.wait is not None else nullcontext():
        followed = [
            (receipt, _followed(receipt, how.wait, then, token) if how.wait is not None else []) for receipt in receipts
        ]
    if how.as_json:
        found = [events[-1] if events else asdict(receipt) for receipt, events in followed]
        show.json_text(found[0] if len(found) == 1 else found)
    else:
        for receipt, events in followed:
            before = "was accepted before, as" if receipt.repeated else "accepted as"
            click.echo(f"{receipt.type} {before} {receipt.id}")
            click.echo("\n".join(_result(events)) if events else f"what becomes of it: {receipt.status_url}")
    return 0 if all(not events or _is_done(events[-1]) for _, events in followed) else FAILED


def _is_done(event: dict[str, Any]) -> bool:
    """A vote that did not count was answered, but is not what was asked for. Earlier receivers do not say."""
    return event["state"] == "succeeded" and not event.get("refused")


def _followed(receipt: Receipt, seconds: float, then: Then | None, token: str | None) -> list[dict[str, Any]]:
    event = follow(receipt.status_url, seconds=seconds, token=token)
    if then is None or event["state"] != "succeeded":
        return [event]
    return [event, follow(urljoin(receipt.status_url, then(event)), seconds=seconds, token=token)]


def _result(events: list[dict[str, Any]]) -> list[str]:
    """A line for each task, and one for all."""
    first, *others = events
    ended = "refused: it did not count" if events[-1].get("refused") else str(events[-1]["state"])
    more = [line for event in others for line in (f"then {event['type']} {event['id']}", *_tasks(event))]
    return [*_tasks(first), *more, ended]


def _tasks(event: dict[str, Any]) -> list[str]:
    """The first task of a vote that did not count did its work, and yet nothing succeeded."""
    refused = [{**task, "state": "refused"} for task in event["tasks"][:1]] if event.get("refused") else []
    return [_task(task) for task in [*refused, *event["tasks"][len(refused) :]]]


def _task(task: dict[str, Any]) -> str:
    """Who is no viewer there is told the names and states alone."""
    said = task.get("error") or (task.get("outcome") or {}).get("summary", "")
    return f"  {task['state']:<9}  {task['name']:<18}  {said}".rstrip()
