"""The journal as files: JSON lines that can be verified, and CSV for spreadsheets."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from registrar.ledger.journal.append import BODY_COLUMNS, canonical
from registrar.text.sanitize import shown

Entries = Iterable[Mapping[str, Any]]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # https://owasp.org/www-community/attacks/CSV_Injection


def jsonl(entries: Entries) -> Iterator[str]:
    """Yield one JSON line per entry, as in the table; `body` is the text that its hash covers."""
    for entry in entries:
        yield json.dumps(entry) + "\n"


def csv_(entries: Entries) -> Iterator[str]:
    """Yield CSV (RFC 4180). An apostrophe is put before cells that a spreadsheet would take for formulas."""
    line = io.StringIO()
    writer = csv.writer(line)
    for cells in _cells(entries):
        writer.writerow(cells)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


LINES: Mapping[str, Callable[[Entries], Iterator[str]]] = {"csv": csv_, "jsonl": jsonl}


def _cells(entries: Entries) -> Iterator[Sequence[object]]:
    yield (*BODY_COLUMNS, "said", "previous", "hash")
    for entry in entries:
        fields = canonical(json.loads(entry["body"])["said"])
        cells = (*(entry[name] for name in BODY_COLUMNS), fields, entry["previous"], entry["hash"])
        yield [_escape_formula(cell) for cell in cells]


def _escape_formula(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    return shown(f"'{cell}" if cell.startswith(_FORMULA) else cell)
