"""Words that had a meaning in this project alone, and may not come back into its three packages (CONTRIBUTING.md)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("registrar", "webhooks", "worker")
# Each with the field's word for it.
GONE = {
    "lobby": "server",
    "crew": "threads",
    "visitor": "client",
    "doorbell": "task message",
    "peal": "publish_batch",
    "postbox": "chat responder",
    "bench.": "worker context",
    "pulse": "heartbeat",
    "ringing": "dispatching",
    "patiently": "retry_while_unavailable",
    "house.": "dashboard context",
    "scrub": "redact",
    "arriving": "incoming",
}
# Function names that say nothing of what is computed.
EMPTY = {"told", "said", "asked", "found", "given"}
MIGRATIONS = ROOT / "registrar" / "ledger" / "migrations" / "versions"  # they stay as they were released


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if MIGRATIONS not in path.parents:
                yield path


@pytest.mark.parametrize("word", sorted(GONE))
def test_a_private_word_does_not_come_back(word: str) -> None:
    whole = re.compile(rf"(?<!\w){re.escape(word)}(s|es)?(?!\w)", re.IGNORECASE)
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if whole.search(line)
    ]
    assert places == [], f"say {GONE[word]}"


def test_a_function_says_what_it_computes() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.strip("_") in EMPTY
    ]
    assert found == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while leaves := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in leaves}
    importers = {module for module in left if any(module in left[other] for other in left)}
    assert sorted(importers) == [], "these are in a circle, or between two of them"
