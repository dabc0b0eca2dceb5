"""Asks what MLflow has, or what would happen: here of the registry itself, elsewhere of a receiver's worker.

Elsewhere the question is a registry.query event, and its outcome has the answer: the receiver never loads MLflow's
client.
"""

from typing import Any

from registrar.cli import command, formatting
from registrar.cli.context import Context
from registrar.cli.lazy_group import load
from registrar.cli.waiting import waiting
from registrar.errors import UserError
from registrar.http.event_client import NotTaken, Unreachable

# Seconds for an answer from elsewhere; a worker answers in less than one while MLflow does.
SECONDS = 60.0
QUERY = "registry.query"
_PLANS = ("plan", "plan_prune", "plan_archive")


class RegistryUnavailable(UserError):
    """The registry does not answer, so nothing can be planned."""

    exit_code = 4


class NotAnswered(UserError):
    """The question is about nothing that there is, or it could not be answered."""


def ask(context: Context, question: str, **about: Any) -> dict[str, Any]:
    """Return an answer: a table's title, columns, rows, values and `more`, or a `plan`, or both. about: the event's
    fields.

    Raises UserError, click.UsageError.
    """
    data = {"question": question, **{name: value for name, value in about.items() if value}}
    asked = command.check_data(QUERY, data)
    if context.remote:
        return _ask_elsewhere(context, data)
    with formatting.show_progress("asking MLflow"):
        how = "plan" if question in _PLANS else "look_up"
        answer: dict[str, Any] = load(f"registrar.cli.local_answers:{how}")(context, asked)  # it imports mlflow
    return answer


def _ask_elsewhere(context: Context, data: dict[str, Any]) -> dict[str, Any]:
    receipt = command.submit(context, QUERY, data)
    with waiting(SECONDS, context.receiver.token) as wait:
        [event] = wait.followed(receipt, None)
    task = event["tasks"][0] if event["tasks"] else {}
    if event["state"] == "unfinished":
        unavailable = RegistryUnavailable if data["question"] in _PLANS else Unreachable
        raise unavailable(f"{receipt.id} has no answer yet: {task.get('error') or 'no worker has begun with it'}")
    if event["state"] != "succeeded":
        raise NotAnswered(str(task.get("error") or (task.get("outcome") or {}).get("summary") or event["state"]))
    try:
        answer: dict[str, Any] = task["outcome"]["answer"]
        answer["plan" if data["question"] in _PLANS else "values"]  # a worker of an earlier version has no values
    except (LookupError, TypeError):
        raise NotTaken(f"{context.receiver.url} gives no answer to questions: its worker has another version") from None
    return answer


def print_table(answer: dict[str, Any], *, as_json: bool) -> None:
    """Print an answer's table. As JSON each row is an object, with numbers as numbers and times in ISO 8601."""
    if as_json:
        formatting.print_json(answer["values"])
    else:
        formatting.table(answer["columns"], answer["rows"], empty=f"{answer['title']}: none")
    if answer["more"]:
        formatting.print_note(f"... and {answer['more']} more")
