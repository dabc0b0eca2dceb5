"""`registrar audit verify`, `registrar audit export`."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TextIO

import click

from registrar.cli.context import Context
from registrar.cli.history import Time
from registrar.ledger import export as exports
from registrar.ledger.chain import Damaged, Head, Walk
from registrar.ledger.journal import entries
from registrar.ledger.verify import verify as verify_ledger


class HeadType(click.ParamType[Head]):
    """SEQ:HASH, as `audit verify` prints it."""

    name = "seq:hash"

    def convert(self, value: str | Head, param: click.Parameter | None, ctx: click.Context | None) -> Head:
        try:
            return value if isinstance(value, Head) else Head.parse(value)
        except ValueError as error:
            self.fail(str(error))


@click.group()
def audit() -> None:
    """Verify that the record's history was not changed, and export it for auditors."""


@audit.command()
@click.option("--expect", type=HeadType(), multiple=True, help="A head that was noted earlier; may be given again.")
@click.option("--file", type=click.File(encoding="utf-8"), help="An export (jsonl) in place of the ledger; - is stdin.")
@click.option("--part", is_flag=True, help="With --file: entries were left out on purpose, by model or time.")
@click.pass_obj
def verify(context: Context, expect: tuple[Head, ...], file: TextIO | None, part: bool) -> None:
    """Walk the journal, and compare the record with it.

    Prints the number of entries and the newest one's number and hash, the head. Note it where nobody who may write to
    the ledger can: with --expect it shows later that nothing up to it was changed or cut off. Exit code 2: damage, told
    on stderr.
    """
    if part and file is None:
        raise click.UsageError("--part is about an export: name it with --file")
    if file is None:
        with context.ledger() as ledger, ledger.read() as connection:
            walk = verify_ledger(connection, expect=expect)
    else:
        walk = Walk(_lines(file), expect=expect, part=part)
        for _ in walk:
            pass
    click.echo(f"{walk.count} entries, {'each intact, a part' if part else 'intact'}; head {walk.head}")


@audit.command()
@click.option("--format", "form", type=click.Choice(sorted(exports.FORMATS)), required=True)
@click.option("--model", help="About this model only.")
@click.option("--since", type=Time(), help="Not before: 2026-11-22T14:30, in UTC unless it says otherwise.")
@click.option("--until", type=Time(), help="Before.")
@click.option("--output", type=click.File("w", encoding="utf-8"), default="-", help="A file; stdout, if not given.")
@click.pass_obj
def export(
    context: Context, *, form: str, model: str | None, since: datetime | None, until: datetime | None, output: TextIO
) -> None:
    """Write the journal, oldest entry first.

    jsonl can be verified without the ledger (`audit verify --file`; with --part if --model, --since or --until left
    entries out). csv is for spreadsheets: cells that begin with = + - @ or a tab, which
    would be taken for formulas, get an apostrophe before them.
    """
    with context.ledger() as ledger, ledger.read() as connection:
        exports.FORMATS[form](entries(connection, model=model, since=since, until=until), output)


def _lines(file: TextIO) -> Iterator[dict[str, Any]]:
    try:
        for number, line in enumerate(file, start=1):
            yield _entry(number, line)
    except UnicodeDecodeError:
        raise Damaged("the file is not UTF-8 text") from None


def _entry(number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Damaged(f"line {number} is no entry in JSON")
    return found


commands = [audit]
