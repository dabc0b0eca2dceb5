"""Which processes work with another key or another registrar.yml than the rest: what one sealed or decided by its own,
another does not open or does otherwise.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from registrar.ledger.heartbeats import Heartbeat

KEYS, CONFIG = "keys", "config"


def mismatches(living: Sequence[Heartbeat]) -> Mapping[str, list[Heartbeat]]:
    """By what is different, those that are not as the most are. Of two that differ, the one that began first is."""
    return {KEYS: _keys(living), CONFIG: _config(living)}


def _keys(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    """What the most close with must be among the keys of each, and what each closes with among the keys of the most.
    While a key is exchanged, NEW,OLD fits OLD,NEW: either opens what the other closes.
    """
    said = [one for one in _by_age(living) if one.keys]
    if not said:
        return []
    [(usual, _)] = Counter(str(one.keys) for one in said).most_common(1)
    return [one for one in said if not fits(str(one.keys), usual)]


def fits(keys: str, others: str) -> bool:
    """Whether each opens what the other closes. keys, others: as Heartbeat has them."""
    mine, theirs = keys.split(","), others.split(",")
    return mine[0] in theirs and theirs[0] in mine


def _config(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    said = [one for one in _by_age(living) if one.config]
    if not said:
        return []
    [(usual, _)] = Counter(one.config for one in said).most_common(1)
    return [one for one in said if one.config != usual]


def _by_age(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    return sorted(living, key=lambda one: one.started_at)
