"""Verify the journal's chain, entry by entry."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from registrar.errors import UserError
from registrar.ledger.journal.append import BODY_COLUMNS, COLUMNS, GENESIS, link


class Damaged(UserError):
    """The journal or a table was altered; the message says where."""

    exit_code = 2


@dataclass(frozen=True)
class Head:
    """The newest entry's number and hash. Kept elsewhere, it proves all entries up to it."""

    seq: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        if not (match := re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text)):
            raise ValueError(f"{text!r} is no head such as 12:{GENESIS}, as `registrar audit verify` prints it")
        return cls(int(match[1]), match[2])


class ChainVerifier:
    """Check entries while iterating, and yield the body of each. Afterwards `head` is the last entry's.

    count: the number of entries. expect: heads that were noted elsewhere. part: entries were left out on purpose, so
    that a gap is no damage.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]], *, expect: Iterable[Head] = (), part: bool = False):
        self._entries = entries
        self._expect = {head.seq: head.hash for head in expect}
        self._part = part
        self.head = Head()
        self.count = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        entries = iter(self._entries)
        while (entry := self._next(entries)) is not None:
            body = self._check(entry)
            self.head = Head(entry["seq"], entry["hash"])
            self.count += 1
            yield body
        self._check_end()

    def _next(self, entries: Iterator[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        try:
            return next(entries, None)
        except (ValueError, TypeError) as error:  # such as an invalid time
            raise Damaged(f"what comes after entry {self.head.seq} can't be read: {error}") from None

    def _check(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        if set(entry) != set(COLUMNS):
            raise Damaged(f"what comes after entry {self.head.seq} is no entry: it has not the columns of one")
        seq = entry["seq"]
        follows = self._check_place(seq)
        if not all(isinstance(entry[name], str) for name in ("body", "previous", "hash")):
            raise Damaged(f"entry {seq} is no text")
        if follows and entry["previous"] != self.head.hash:
            raise Damaged(f"entry {seq} does not follow entry {self.head.seq}: it was written after another one")
        if not _intact(entry):
            raise Damaged(f"entry {seq} was altered: its hash is not that of its text")
        if entry["hash"] != self._expect.get(seq, entry["hash"]):
            noted = self._expect[seq]
            raise Damaged(f"entry {seq} had the hash {noted} when that was noted: the chain was written anew")
        return _parse_body(entry)

    def _check_place(self, seq: object) -> bool:
        """Return whether an entry is the next one."""
        if type(seq) is not int or seq <= self.head.seq:
            raise Damaged(f"after entry {self.head.seq} comes {seq!r}")
        if seq == self.head.seq + 1:
            return True
        if not self._part:
            missing = (
                f"entries {self.head.seq + 1} to {seq - 1} are" if seq > self.head.seq + 2 else f"entry {seq - 1} is"
            )
            raise Damaged(f"{missing} missing")
        return False

    def _check_end(self) -> None:
        newest = max(self._expect, default=0)
        if newest > self.head.seq and not self._part:
            raise Damaged(f"the chain ends with entry {self.head.seq}; entry {newest} was noted: its end was cut off")


def _intact(entry: Mapping[str, Any]) -> bool:
    try:
        return link(entry["previous"], entry["body"]) == str(entry["hash"])
    except UnicodeEncodeError:
        return False


def _parse_body(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the body. Raises Damaged where a column differs from it."""
    seq = entry["seq"]
    try:
        body = json.loads(entry["body"])
        differing = next((name for name in BODY_COLUMNS if body[name] != entry[name]), None)
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Damaged(f"entry {seq} is no text of an entry, though its hash is right") from None
    if differing is not None:
        raise Damaged(
            f"entry {seq} was altered: its column {differing} says {entry[differing]!r}, its text {body[differing]!r}"
        )
    if not isinstance(body, dict) or not isinstance(body.get("said"), dict):
        raise Damaged(f"entry {seq} says nothing, though its hash is right")
    return body
