"""Run the tests of what changed: `make check`, for the minute before a commit. Not all tests: `make test` is those.

A changed module's tests are those named after it, those that import it, and the harness of its folder; a helper's in
tests/, also those of its folder. Of a page, a template or a file that is gone, they are those that name it. tests/e2e
and tests/slow take longer than a minute: they are named, and not run.
"""

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("registrar", "webhooks", "worker", "tests")
# Test files at once: more take over a minute. The closest come first.
MOST = 8
LONG = {"e2e", "slow"}
# What walks a folder's files by itself, and so names none of them. The first that fits.
HARNESSES = {
    "webhooks/sources": "tests/sources/test_fixtures.py",
    "tests/fixtures/notifiers": "tests/notifications/test_notifiers.py",
    "tests/fixtures": "tests/sources/test_fixtures.py",
}


class UnknownCommit(ValueError):
    """git knows no such commit; the message is git's."""


def changed(base: str) -> list[Path]:
    """Files that differ from a commit, also new and deleted ones; relative to the checkout. Raises UnknownCommit."""
    told = [*_git("diff", "--name-only", base), *_git("ls-files", "--others", "--exclude-standard")]
    return [Path(line) for line in told]


def belonging(files: Iterable[Path]) -> list[Path]:
    """Their test files, the closest first; relative to the checkout."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in found}
    texts = {name: text for name, text in texts.items() if not LONG.intersection(name.parts)}
    near: list[Path] = []
    far: list[Path] = []
    for file in files:
        near += _near(file, texts)
        far += _far(file, texts, graph)
    return list(dict.fromkeys([*near, *far]))


def _near(file: Path, texts: Mapping[Path, str]) -> list[Path]:
    if file in texts:
        return [file]
    harness = next((Path(test) for folder, test in HARNESSES.items() if Path(folder) in file.parents), None)
    subject = file.parent.name if file.stem == "__init__" else file.stem
    named = [name for name in texts if file.suffix == ".py" and name.stem == f"test_{subject}"]
    beside = [name for name in texts if file.parts[0] == "tests" and name.parent == file.parent != Path("tests")]
    return [*named, *([harness] if harness else []), *beside]


def _far(file: Path, texts: Mapping[Path, str], graph: grimp.ImportGraph) -> list[Path]:
    module = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
    if file.suffix == ".py" and module in graph.modules:
        importing = graph.find_modules_that_directly_import(module)
        return [name for name in texts if ".".join(name.with_suffix("").parts) in importing]
    says = module if file.suffix == ".py" else file.name
    return [name for name, text in texts.items() if says in text]


def _git(*arguments: str) -> Sequence[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnknownCommit(done.stderr.strip())
    return done.stdout.splitlines()


def main(base: str = "HEAD") -> int:
    try:
        files = changed(base)
    except UnknownCommit as error:
        print(f"BASE={base} is no commit: {error}", file=sys.stderr)
        return 2
    if long := sorted(str(file) for file in files if LONG.intersection(file.parts)):
        print(f'changed, and not run, as they take longer: make test ARGS="{" ".join(long)}"')
    found = belonging(files)
    if not found:
        print(f"of what differs from {base}, nothing has tests that are run here; `make test-all` runs all")
        return 0
    if len(found) > MOST:
        print(f"{len(found)} test files concern what differs from {base}: the closest {MOST}; `make test` runs all")
    processes = "0" if len(found) == 1 else "4"
    return pytest.main(["-q", "-n", processes, "--dist", "worksteal", *map(str, found[:MOST])])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
