"""Run a compaction, or plan it: what is old goes into one file per month and kind, or several."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from registrar.compaction.places import Place
from registrar.compaction.writer import KINDS, Kind, Written, move, resume
from registrar.ledger import Ledger
from registrar.ledger.archives import exclusive_run
from registrar.ledger.queries.archivable import Candidate

# Younger events are still read: by senders that poll a status URL, by chats, by `doctor --source`. Repeated deliveries
# are recognized for ever, as the table `archived` keeps their ids.
YOUNGEST = timedelta(days=7)
MOST = 50_000  # rows of a file


@dataclass
class Plan:
    """What a run would do: rows and tasks by (kind, month). kept: rows that are old enough and stay, by reason."""

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    tasks: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)


def archive(ledger: Ledger, *, cutoff: datetime, where: Place, most: int = MOST) -> Iterator[Written]:
    """Move rows older than cutoff, file by file. Raises AlreadyArchiving, ArchiveDamaged, ArchiveMissing, OSError,
    PlaceUnavailable, LedgerUnavailable; after any of them the next run goes on.
    """
    with exclusive_run(ledger):
        yield from resume(ledger)
        for kind in KINDS.values():
            for chosen in _months(ledger, kind, cutoff, most, Counter()):
                yield move(ledger, kind, chosen, where)


def plan(ledger: Ledger, *, cutoff: datetime) -> Plan:
    """Return what a run would do, without changing anything."""
    result = Plan()
    for kind in KINDS.values():
        for chosen in _months(ledger, kind, cutoff, MOST, result.kept):
            key = (kind.name, chosen[0].month)
            result.rows[key] += len(chosen)
            result.tasks[key] += sum(each.tasks for each in chosen)
    return result


def _months(
    ledger: Ledger, kind: Kind, cutoff: datetime, most: int, kept: Counter[str]
) -> Iterator[Sequence[Candidate]]:
    """Yield candidates, `most` of one month at a time; count in `kept` those that must stay.

    Of a kind whose files follow each other, they are taken in order, whatever their month.
    """
    months: dict[str, list[Candidate]] = {}
    after: int | None = 0
    while after is not None:
        with ledger.read() as connection:
            scan = kind.scan(connection, after, cutoff)
        kept.update(scan.kept)
        after = scan.next
        for candidate in scan.chosen:
            which = "" if kind.in_order else candidate.month
            month = months.setdefault(which, [])
            month.append(candidate)
            if len(month) >= most:
                yield months.pop(which)
    yield from months.values()
