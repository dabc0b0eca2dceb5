"""`registrar doctor`."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import entry_points
from typing import IO

import click

from registrar import policy as policies
from registrar.cli import formatting, params, tables
from registrar.cli.context import Context
from registrar.config.settings import Settings, SettingsError
from registrar.doctor import DoctorContext, fail
from registrar.doctor.examine import Line, examine
from registrar.errors import UserError
from registrar.policy import Policy, PolicyError
from registrar.text.wording import plural

FAILED = 1


class NoReceiver(UserError):
    """Signatures are the receiver's business, and it is not installed here."""


@click.command()
@click.option("--source", help="Find out instead why this source's signature fails.")
@click.option(
    "--request",
    "file",
    type=click.File("rb"),
    metavar="FILE",
    help="With --source: a captured request: headers, blank line, body. - is stdin.",
)
@click.option("--at", callback=params.time, metavar="TIME", help="When it arrived; else when the file was written.")
@formatting.as_json
@click.pass_context
def doctor(
    click_context: click.Context,
    *,
    source: str | None,
    file: IO[bytes] | None,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Look at every part, and say what to do where something is wrong.

    \b
    registrar doctor
    registrar doctor --source github --request captured.http

    One line for each thing that was looked at: ok, warn (it works, and will hurt some day) or FAIL. Nothing is changed
    or sent to people. Exit code: 1 where something fails, else 0.

    With --source, and a captured request, the usual mistakes are tried until its signature comes out: the secret in
    another form, a body that was written anew, another scheme, a clock that is off. Secrets are not shown.
    """
    context: Context = click_context.obj
    if source:
        _signature(context, source, file, at)
        return
    if file:
        raise click.UsageError("--request needs --source NAME: whose signature is it?")
    context.here()
    try:
        settings = context.settings()
    except SettingsError as error:
        lines: Iterable[Line] = [Line("config", fail(str(error), "Nothing else was looked at: where would it be?"))]
    else:
        lines = examine(DoctorContext(context.data, settings, _policy(settings)))
    if _told(lines, as_json=as_json):
        click_context.exit(FAILED)


def _policy(settings: Settings) -> Policy | None:
    """Where it can't be read, the check of the configuration says why."""
    try:
        return policies.load(settings.config_path)
    except PolicyError:
        return None


def _told(lines: Iterable[Line], *, as_json: bool) -> bool:
    """Whether something fails. Each line is shown when it is known; JSON at the end."""
    seen = []
    for line in lines:
        seen.append(line)
        if not as_json:
            _print(line)
    levels = [line.finding.level for line in seen]
    if as_json:
        formatting.json_text([{"part": line.part, **asdict(line.finding)} for line in seen])
    else:
        warnings, failures = plural(levels.count("warn"), "warning"), plural(levels.count("FAIL"), "failure")
        click.echo(f"{levels.count('ok')} ok, {warnings}, {failures}")
    return "FAIL" in levels


def _print(line: Line) -> None:
    finding = line.finding
    level = tables.state(finding.level, padded=4)
    click.echo(f"{level}  {line.part:<8}  {finding.seen}" + (f". {finding.do}" if finding.do else ""))


def _signature(context: Context, source: str, file: IO[bytes] | None, at: datetime | None) -> None:
    """webhooks offers it by name: registrar may not import it."""
    try:
        [entry] = entry_points(group="registrar.signature")
        explain = entry.load()
    except ModuleNotFoundError:
        raise NoReceiver("signatures need the receiver's half: pip install 'mlflow-registrar[receiver]'") from None
    explain(context, source, file, at)


commands = [doctor]
