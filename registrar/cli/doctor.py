"""`registrar doctor`."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import IO

import click

from registrar import policy as policies
from registrar.cli import formatting, params, tables
from registrar.cli.context import Context
from registrar.cli.source_signature import explain
from registrar.config.settings import Settings, SettingsError
from registrar.doctor import DoctorContext, fail
from registrar.doctor.elsewhere import ONLY_THERE, examine_elsewhere
from registrar.doctor.examine import Line, examine
from registrar.policy import Policy, PolicyError
from registrar.text.wording import plural

FAILED = 1


@click.command()
@click.option("--source", help="Find out instead why a signature of this source fails.")
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
    """Check every part, and say what to do about each problem.

    \b
    registrar doctor
    registrar doctor --source github --request captured.http

    Prints a line for each check: ok, warn (it works, but will cause trouble) or FAIL. Nothing is changed or sent to
    people. Exit code: 1 if something fails, else 0. With --url and a token: what the receiver there can say of itself,
    its workers and its beat.

    With --source and a captured request, the usual mistakes are tried until its signature comes out: the secret in
    another form, a body that was serialized again, another scheme, a clock that is off. Secrets are not shown.
    """
    context: Context = click_context.obj
    if source:
        explain(context, source, file, at)
        return
    if file:
        raise click.UsageError("--request needs --source NAME: whose signature is it?")
    if context.remote:
        with context.reading() as reading:
            found = examine_elsewhere(context.remote.url, reading.overview())
        failing = _print_all(found, as_json=as_json)
        formatting.print_note(ONLY_THERE)
        click_context.exit(FAILED if failing else 0)
    try:
        settings = context.settings()
    except SettingsError as error:
        lines: Iterable[Line] = [Line("config", fail(str(error), "Without settings nothing else can be checked"))]
    else:
        lines = examine(DoctorContext(context.data, settings, _policy(settings)))
    if _print_all(lines, as_json=as_json):
        click_context.exit(FAILED)


def _policy(settings: Settings) -> Policy | None:
    """Return None where registrar.yml can't be read: the configuration's check reports why."""
    try:
        return policies.load(settings.config_path)
    except PolicyError:
        return None


def _print_all(lines: Iterable[Line], *, as_json: bool) -> bool:
    """Print lines as they become known, or JSON at the end. Return whether something fails."""
    seen = []
    for line in lines:
        seen.append(line)
        if not as_json:
            _print(line)
    levels = [line.finding.level for line in seen]
    if as_json:
        formatting.print_json([{"part": line.part, **asdict(line.finding)} for line in seen])
    else:
        warnings, failures = plural(levels.count("warn"), "warning"), plural(levels.count("FAIL"), "failure")
        click.echo(f"{levels.count('ok')} ok, {warnings}, {failures}")
    return "FAIL" in levels


def _print(line: Line) -> None:
    finding = line.finding
    level = tables.state(finding.level, padded=4)
    click.echo(f"{level}  {line.part:<8}  {finding.seen}" + (f". {finding.do}" if finding.do else ""))
