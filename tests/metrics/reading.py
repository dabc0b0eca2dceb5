"""What a scrape says, as numbers by name and labels."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

FIRST = ("source", "policy", "target", "task", "verdict")
Numbers = dict[tuple[str, ...], float]


def families(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """By the sample's name, then by its labels' values: those of FIRST first, the others by their names."""
    found: dict[str, Numbers] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[_values(sample.labels)] = sample.value
    return found


def _values(labels: dict[str, str]) -> tuple[str, ...]:
    names = [*(name for name in FIRST if name in labels), *(name for name in sorted(labels) if name not in FIRST)]
    return tuple(labels[name] for name in names)


def scraped(collector) -> dict[str, Numbers]:
    """Of one collector alone."""
    registry = CollectorRegistry()
    registry.register(collector)
    return families(generate_latest(registry).decode())


@contextmanager
def away(ledger) -> Iterator[None]:
    """A ledger whose database can't be opened for a while."""
    engine, ledger.engine = ledger.engine, type(ledger)("sqlite:////nowhere/at/all/ledger.db").engine
    try:
        yield
    finally:
        ledger.engine = engine
