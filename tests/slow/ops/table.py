"""The table of docs/how-to/operations.md: what each fault looks like, and whether what is said is that."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.slow.ops.installation import REPOSITORY

_DOC = (REPOSITORY / "docs/how-to/operations.md").read_text()
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Row:
    """Of the table."""

    fault: str
    readyz: str
    doctor: str
    alerts: frozenset[str]
    overview: tuple[str, ...]
    log: str

    def ready(self, said: str) -> bool:
        wanted = "none" if self.readyz == "no answer" else self.readyz.partition(" ")[0]
        return said.startswith(wanted) and all(code in said for code in _CODE.findall(self.readyz))

    def examined(self, said: str) -> bool:
        level, part = self.doctor.partition(":")[0].split()
        lines = [line for line in said.splitlines() if line.startswith(f"{level:<4}  {part:<8}")]
        return any(code in line for code in _CODE.findall(self.doctor) for line in lines)

    def overviewed(self, said: str) -> bool:
        return all(code in said for code in self.overview)

    def logged(self, log_of: Callable[[str], str]) -> bool:
        part, _, said = self.log.partition(": ")
        return said == "" or all(code in log_of(part) for code in _CODE.findall(said))


def table() -> dict[str, Row]:
    text = _DOC.partition("## What a fault looks like")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line.startswith("| ")
    ]
    _, *found = rows
    return {
        fault: Row(fault, readyz, doctor, frozenset(_CODE.findall(alerts)), tuple(_CODE.findall(overview)), log)
        for fault, readyz, doctor, alerts, overview, log in found
    }
