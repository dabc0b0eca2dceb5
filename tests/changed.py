"""Run the tests of what changed: `make check`, for the minute before a commit. Not all tests: `make test` is those.

A changed module's tests are those named after it and those that import it, but for tests/e2e and tests/slow, which take
longer. A changed page of docs/, fixture or template has those that name it.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
PACKAGES = ("registrar", "webhooks", "worker", "tests")
# Test files at once: more take over a minute. Those named after what changed come first.
MOST = 20
LONG = {"e2e", "slow"}


def changed(base: str) -> list[Path]:
    """Files that differ from a commit, new ones among them; relative to the checkout."""
    told = _git("diff", "--name-only", "--diff-filter=d", base) + _git("ls-files", "--others", "--exclude-standard")
    return [Path(line) for line in told]


def belonging(files: Iterable[Path]) -> list[Path]:
    """Test files, the closest first; relative to the checkout."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    tests = {path.relative_to(ROOT): path for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    tests = {name: path for name, path in tests.items() if not LONG.intersection(name.parts)}
    near: list[Path] = []
    far: list[Path] = []
    for file in files:
        if file in tests:
            near.append(file)
        elif file.suffix == ".py":
            near += [name for name in tests if name.stem in (f"test_{file.stem}", f"test_{file.parent.name}")]
            module = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
            importing = graph.find_modules_that_directly_import(module) if module in graph.modules else set()
            far += [name for name in tests if ".".join(name.with_suffix("").parts) in importing]
        else:
            far += [name for name, path in tests.items() if file.name in path.read_text(encoding="utf-8")]
    return list(dict.fromkeys([*near, *far]))


def _git(*arguments: str) -> Sequence[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def main(base: str = "HEAD") -> int:
    found = belonging(changed(base))
    if not found:
        print(f"nothing that differs from {base} has tests of its own; `make test` runs all")
        return 0
    if len(found) > MOST:
        print(f"{len(found)} test files concern what differs from {base}: the closest {MOST}; `make test` runs all")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "4", "--dist", "worksteal"]
    return subprocess.run([*command, *map(str, found[:MOST])], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
