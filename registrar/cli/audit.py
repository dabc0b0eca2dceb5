"""`registrar audit verify`, `registrar audit export`."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TextIO

import click

from registrar.cli import formatting
from registrar.cli.context import Context
from registrar.cli.params import Time
from registrar.compaction.journal_files import FilesChecked, check_files, whole_journal
from registrar.config.settings import SettingsError
from registrar.doctor.registry_differences import describe_differences
from registrar.http.mlflow_server import MlflowServer
from registrar.http.probe import Silence
from registrar.ledger.journal import export as exports
from registrar.ledger.journal.chain import ChainVerifier, Damaged, Head
from registrar.ledger.journal.verify import Proof
from registrar.ledger.journal.verify import verify as verify_ledger
from registrar.text.wording import plural

OTHERWISE = 1


class HeadType(click.ParamType[Head]):
    """A journal entry as SEQ:HASH, which `audit verify` prints."""

    name = "seq:hash"

    def convert(self, value: str | Head, param: click.Parameter | None, ctx: click.Context | None) -> Head:
        try:
            return value if isinstance(value, Head) else Head.parse(value)
        except ValueError as error:
            self.fail(str(error))


@click.group()
def audit() -> None:
    """Verify that the record's history was not changed, and export it for auditors.

    \b
    registrar audit verify
    registrar audit export --format jsonl --output journal.jsonl
    """


@audit.command()
@click.option("--expect", type=HeadType(), multiple=True, help="A head that was noted earlier; may be given again.")
@click.option("--file", type=click.File(encoding="utf-8"), help="An export (jsonl) in place of the ledger; - is stdin.")
@click.option("--part", is_flag=True, help="With --file: entries were left out on purpose, by model or time.")
@click.option("--from", "folder", metavar="PLACE", help="Where the files of `registrar compact` are now, if moved.")
@click.option("--offline", is_flag=True, help="Do not ask MLflow what it shows.")
@formatting.as_json
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    expect: tuple[Head, ...],
    file: TextIO | None,
    part: bool,
    folder: str | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Walk the journal, and compare the record and its history with it; then the archive files with their digests, and
    MLflow with the record.

    \b
    registrar audit verify --expect 4711:9f2c...
    registrar audit verify --file journal.jsonl

    Prints the number of entries and the newest one's number and hash, the head. Note it where nobody who may write to
    the ledger can: with --expect it shows later that nothing up to it was changed or cut off. Of a receiver elsewhere
    (--url) the chain alone is walked. Exit code 2: damage, described on stderr. 1: the record is intact, and MLflow
    shows otherwise, or an archive file is lost; where MLflow does not answer, that is said and is no failure.
    """
    context: Context = ctx.obj
    if part and file is None:
        raise click.UsageError("--part is about an export: name it with --file")
    with formatting.show_progress("walking the journal") as say:
        proof = _verify(context, file, expect=expect, part=part, folder=folder, say=say)
        here = file is None and not context.remote
        files = _check_archives(context, folder, say) if here else FilesChecked(0, [])
        shown = _compare_registry(context, say) if here and not offline else RegistryComparison()
    if as_json:
        found = {"entries": proof.walk.count, "head": str(proof.walk.head), "part": part, "files": vars(files)}
        formatting.print_json(
            {**found, "unsaid": proof.sentences(), "mlflow": shown.otherwise, "not_asked": shown.not_asked}
        )
    else:
        _print_proof(proof, shown, part=part)
        _print_files(files)
        if file is None and context.remote:
            click.echo("of the chain alone: whether the record agrees with it is verified on its machine", err=True)
    if shown.otherwise or files.lost:
        ctx.exit(OTHERWISE)


@dataclass(frozen=True)
class RegistryComparison:
    """otherwise: what MLflow shows otherwise, in sentences; None: it was not asked. not_asked: why it was not."""

    otherwise: list[str] | None = None
    not_asked: str | None = None


def _print_proof(proof: Proof, shown: RegistryComparison, *, part: bool) -> None:
    click.echo(f"{proof.walk.count} entries, {'each intact, a part' if part else 'intact'}; head {proof.walk.head}")
    for sentence in proof.sentences():
        click.echo(f"not proven: {sentence}", err=True)
    if shown.not_asked:
        click.echo(f"MLflow was not asked what it shows: {shown.not_asked}", err=True)
    if shown.otherwise:
        click.echo("the record is intact; MLflow shows otherwise:")
    for sentence in shown.otherwise or ():
        click.echo(f"  {sentence}")


def _check_archives(context: Context, folder: str | None, say: Callable[[str], None]) -> FilesChecked:
    say("reading the archive files")
    with context.ledger() as ledger, ledger.read() as connection:
        return check_files(connection, folder=folder)


def _print_files(files: FilesChecked) -> None:
    if files.intact:
        click.echo(f"{plural(files.intact, 'archive file is', 'archive files are')} as written")
    for sentence in files.lost:
        click.echo(f"lost: {sentence}", err=True)


def _compare_registry(context: Context, say: Callable[[str], None]) -> RegistryComparison:
    say("asking MLflow")
    try:
        settings = context.settings()
        server = MlflowServer(settings.mlflow_uri, settings.environ)
        with context.ledger() as ledger, ledger.read() as connection:
            return RegistryComparison(list(describe_differences(connection, server)))
    except (Silence, SettingsError) as error:
        return RegistryComparison(not_asked=str(error))


def _verify(
    context: Context,
    file: TextIO | None,
    *,
    expect: tuple[Head, ...],
    part: bool,
    folder: str | None,
    say: Callable[[str], None],
) -> Proof:
    if file is None and not context.remote:
        with context.ledger() as ledger, ledger.read() as connection:
            return verify_ledger(connection, expect=expect, journal=partial(whole_journal, folder=folder))
    if file:
        return Proof(_walk_chain(ChainVerifier(_read_entries(file), expect=expect, part=part), say), {})
    with context.reading() as reading:
        return Proof(_walk_chain(ChainVerifier(reading.audit(), expect=expect, part=part), say), {})


def _walk_chain(walk: ChainVerifier, say: Callable[[str], None]) -> ChainVerifier:
    for count, _ in enumerate(walk, start=1):
        if count % 1000 == 0:
            say(f"walking the journal: {count:,} entries")
    return walk


@audit.command()
@click.option("--format", "form", type=click.Choice(sorted(exports.LINES)), required=True)
@click.option("--model", help="About this model only.")
@click.option("--since", type=Time(), help="Not before: 2026-11-22T14:30, in UTC unless it says otherwise.")
@click.option("--until", type=Time(), help="Before.")
@click.option("--from", "folder", metavar="PLACE", help="Where the files of `registrar compact` are now, if moved.")
@click.option("--output", type=click.File("w", encoding="utf-8"), default="-", help="A file; stdout, if not given.")
@click.pass_obj
def export(
    context: Context,
    *,
    form: str,
    model: str | None,
    since: datetime | None,
    until: datetime | None,
    folder: str | None,
    output: TextIO,
) -> None:
    """Write the journal, oldest entry first.

    \b
    registrar audit export --format jsonl --output journal.jsonl
    registrar audit export --format csv --model churn --since 2026-11-01 > november.csv

    jsonl can be verified without the ledger (`audit verify --file`; with --part if --model, --since or --until left
    entries out). csv is for spreadsheets: cells that begin with = + - @ or a tab, which
    would be taken for formulas, get an apostrophe before them.
    """
    with context.reading(archive=folder) as reading, formatting.show_progress("writing the journal") as say:
        found = reading.audit(model=model, since=since, until=until)
        output.writelines(exports.LINES[form](_count_entries(found, say)))


def _count_entries(entries: Iterator[dict[str, Any]], say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    for count, entry in enumerate(entries, start=1):
        if count % 1000 == 0:
            say(f"writing the journal: {count:,} entries")
        yield entry


def _read_entries(file: TextIO) -> Iterator[dict[str, Any]]:
    try:
        for number, line in enumerate(file, start=1):
            yield _parse_entry(number, line)
    except UnicodeDecodeError:
        raise Damaged("the file is not UTF-8 text") from None


def _parse_entry(number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Damaged(f"line {number} is no entry in JSON")
    return found
