"""Submits commands that change something to a receiver's /v1/commands, and waits for their end."""

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import wraps
from typing import Any, NoReturn

import click

from registrar.cli import formatting, tables
from registrar.cli.context import Context
from registrar.cli.lazy_group import load
from registrar.cli.waiting import Then, waiting
from registrar.http.event_client import Receipt, Unreachable

FAILED = 1
WAIT = "Wait until all is done, and print what came of it."
TIMEOUT = "How long --wait waits, and a receiver has for an answer."
# Seconds that a receiver always has for its answer, even with a shorter --timeout: it commits before it answers.
SHORTEST = 2.0


class Seconds(click.ParamType[float]):
    """A finite number of seconds, not negative."""

    name = "seconds"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            self.fail(f"{value!r} is no number of seconds, such as 60")
        return seconds


@dataclass(frozen=True)
class How:
    """The options that `options` adds. wait: seconds to wait for the end of an event; None: do not wait."""

    context: Context
    wait: float | None
    as_json: bool


def options(*, wait: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add --wait, --timeout and --json to a command, which gets them as `how`. wait: the default."""
    shared = (
        click.option("--wait/--no-wait", default=wait, show_default=True, help=WAIT),
        click.option("--timeout", type=Seconds(), default=300.0, show_default=True, help=TIMEOUT),
        formatting.as_json,
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        decorated: Callable[..., Any] = _pass_how(command)
        for option in reversed(shared):
            decorated = option(decorated)
        return decorated

    return add


def _pass_how(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def called(*args: Any, wait: bool, timeout: float, as_json: bool, **more: Any) -> Any:
        ctx = click.get_current_context()
        ctx.obj = replace(ctx.obj, answer_within=max(timeout, SHORTEST))
        how = How(ctx.obj, timeout if wait else None, as_json)
        return command(*args, how=how, **more)

    return called


def new_id() -> str:
    """Return a new id for a delivery, or for the Idempotency-Key of a command."""
    return f"msg_{uuid.uuid4().hex}"


def check_data(type_: str, data: dict[str, Any], *, signed: bool = False) -> Any:
    """Return the data as the receiver would read it. Raises click.UsageError where it would refuse it.

    signed: by a source, which must say what a person may leave out.
    """
    return load("registrar.cli.event_data:check")(type_, data, command=not signed)  # it imports pydantic


def submit_and_exit(
    ctx: click.Context, how: How, type_: str, data: dict[str, Any], *, then: Then | None = None
) -> NoReturn:
    """Submit one command, report its end, and exit. then: see report_receipts. Raises UserError, UsageError."""
    check_data(type_, data)
    ctx.exit(report_receipts([submit(how.context, type_, data)], how, then=then, token=how.context.receiver.token))


def print_answer_and_exit(ctx: click.Context, how: How, type_: str, data: dict[str, Any]) -> NoReturn:
    """Submit a command that only answers, such as a plan; print the answer alone, and exit. Raises as submit_and_exit.

    Where it was not answered, or not waited for, or with --json, it is printed as any other.
    """
    check_data(type_, data)
    receipt = submit(how.context, type_, data)
    if how.wait is None:
        ctx.exit(print_results([(receipt, [])], as_json=how.as_json))
    with waiting(how.wait, how.context.receiver.token) as wait:
        events = wait.followed(receipt, None)
    answer = (events[-1]["tasks"][0].get("outcome") or {}).get("summary") if events[-1]["tasks"] else None
    if how.as_json or answer is None or not is_done(events[-1]):
        ctx.exit(print_results([(receipt, events)], as_json=how.as_json))
    click.echo(formatting.sentence(answer, indent=""))
    ctx.exit(0)


def submit(context: Context, type_: str, data: dict[str, Any]) -> Receipt:
    """Submit a command as the token's bearer, or as this machine's local operator. Raises UserError."""
    receiver = context.receiver
    try:
        return receiver.command(type_, data, key=new_id())
    except Unreachable as error:
        if context.remote:
            raise
        raise Unreachable(f"{error} `registrar up` starts it, or REGISTRAR_LOCAL_URL says where it listens") from None


def report_receipts(
    receipts: Sequence[Receipt], how: How, *, then: Then | None = None, token: str | None = None
) -> int:
    """Wait for the end of each event where `how` says so, print it, and return the exit code.

    then: returns the id of the next event, given one that succeeded; its end is awaited too. token: for the receiver
    that gave the receipts.
    """
    if how.wait is None:
        return print_results([(receipt, []) for receipt in receipts], as_json=how.as_json)
    with waiting(how.wait, token) as wait:
        followed = [(receipt, wait.followed(receipt, then)) for receipt in receipts]
    return print_results(followed, as_json=how.as_json)


def print_results(followed: Sequence[tuple[Receipt, list[dict[str, Any]]]], *, as_json: bool) -> int:
    """Print receipts with the events that they were followed to, if any, and return the exit code."""
    if as_json:
        results = [events[-1] if events else asdict(receipt) for receipt, events in followed]
        formatting.print_json(results[0] if len(results) == 1 else results)
    else:
        for receipt, events in followed:
            before = "was accepted before, as" if receipt.repeated else "accepted as"
            click.echo(f"{receipt.type} {before} {receipt.id}")
            click.echo("\n".join(_result(events)) if events else f"what becomes of it: {receipt.status_url}")
    return 0 if all(not events or is_done(events[-1]) for _, events in followed) else FAILED


def is_done(event: dict[str, Any]) -> bool:
    """Return whether what was asked for is done."""
    return event["state"] == "succeeded" and not _is_refused(event)


def _result(events: list[dict[str, Any]]) -> list[str]:
    """Return a line for each task, and one for the event."""
    first, *others = events
    ended = tables.state("refused" if _is_refused(events[-1]) else str(events[-1]["state"]))
    more = [line for event in others for line in (f"then {event['type']} {event['id']}", *_tasks(event))]
    return [*_tasks(first), *more, ended]


def _is_refused(event: dict[str, Any]) -> bool:
    """Return whether an event was refused. Before schema 0014 the task of a vote that did not count had succeeded."""
    return bool(event["state"] == "succeeded" and event.get("refused"))


def _tasks(event: dict[str, Any]) -> list[str]:
    refused = [{**task, "state": "refused"} for task in event["tasks"][:1]] if _is_refused(event) else []
    return [_task(task) for task in [*refused, *event["tasks"][len(refused) :]]]


def _task(task: dict[str, Any]) -> str:
    """Describe a task. A caller who is no viewer gets names and states alone."""
    result = task.get("error") or (task.get("outcome") or {}).get("summary", "")
    return f"  {tables.state(task['state'], padded=9)}  {task['name']:<18}  {result}".rstrip()
