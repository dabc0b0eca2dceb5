"""Rebuild from entries who was given access: API tokens, and links that sign a person in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from registrar.ledger.journal.append import EntryKind
from registrar.ledger.journal.chain import Damaged

_TOKEN = ("name", "role", "person", "expires_at", "fingerprint")
_LINK = ("name", "person", "expires_at", "fingerprint")
COLUMNS = {
    "tokens": (*_TOKEN, "created_at", "revoked_at"),
    "sign_in_links": (*_LINK, "created_at", "used_at", "used_from", "ended_at"),
}
KEYS = {"tokens": ("name",), "sign_in_links": ("name",)}
# Columns that entries of earlier versions lack.
OPTIONAL = {"tokens": {"fingerprint"}}

Placed = tuple[str, dict[str, Any], int]  # the table, the row, and the seq of the last entry about it


@dataclass
class AccessRows:
    """Tokens and links that later entries may change, by name: no two have the same."""

    open: dict[str, Placed] = field(default_factory=dict)

    def apply(self, entry: Mapping[str, Any]) -> Iterator[Placed]:
        """Yield a row that does not change any more. Raises Damaged, or KeyError for an entry that lacks fields."""
        fields, at = entry["said"], entry["at"]
        match entry["kind"]:
            case EntryKind.TOKEN_CREATED:
                values = {name: fields[name] for name in _TOKEN if name in fields or name not in OPTIONAL["tokens"]}
                self.open[fields["name"]] = ("tokens", values | {"created_at": at, "revoked_at": None}, entry["seq"])
            case EntryKind.LINK_CREATED:
                unused = {"created_at": at, "used_at": None, "used_from": None, "ended_at": None}
                values = {name: fields[name] for name in _LINK} | unused
                self.open[fields["name"]] = ("sign_in_links", values, entry["seq"])
            case EntryKind.LINK_USED:
                table, values, _ = self._created(entry, "uses the link")
                changed = values | {"used_at": at, "used_from": fields["used_from"]}
                self.open[fields["name"]] = (table, changed, entry["seq"])
            case EntryKind.TOKEN_REVOKED:
                table, values, _ = self._created(entry, "revokes the token")
                yield table, values | {"revoked_at": at}, entry["seq"]
            case EntryKind.LINK_ENDED:
                table, values, _ = self._created(entry, "ends the link")
                yield table, values | {"ended_at": at}, entry["seq"]

    def _created(self, entry: Mapping[str, Any], does: str) -> Placed:
        name = entry["said"]["name"]
        if (created := self.open.pop(name, None)) is None:
            raise Damaged(f"entry {entry['seq']} {does} {name}, which no entry before it made")
        return created
