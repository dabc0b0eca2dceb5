"""The journal as files: JSON lines that can be verified, and CSV for spreadsheets."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from registrar.ledger.journal import TOLD, canonical

Entries = Iterable[Mapping[str, Any]]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # https://owasp.org/www-community/attacks/CSV_Injection


def jsonl(entries: Entries, file: TextIO) -> None:
    """One entry a line, as it is in the table; `body` is the text that its hash covers."""
    for entry in entries:
        file.write(json.dumps(entry) + "\n")


def csv_(entries: Entries, file: TextIO) -> None:
    """RFC 4180. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    writer = csv.writer(file)
    writer.writerow((*TOLD, "said", "previous", "hash"))
    for entry in entries:
        said = canonical(json.loads(entry["body"])["said"])
        cells = (*(entry[name] for name in TOLD), said, entry["previous"], entry["hash"])
        writer.writerow([_defused(cell) for cell in cells])


FORMATS: Mapping[str, Callable[[Entries, TextIO], None]] = {"csv": csv_, "jsonl": jsonl}


def _defused(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
