"""Ends processes that a killed run left behind: at once as the reaper (reaper.py), or at the next `registrar up`."""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from registrar.local import process_tree
from registrar.local.data_folder import Folder


@dataclass(frozen=True)
class Entry:
    """A process that was started. created: seconds since 1970, which tell it from a later process of the same pid."""

    name: str
    pid: int
    created: float
    stop_timeout: float


def write_pids(path: Path, entries: Iterable[Entry]) -> None:
    """Replace the file as a whole, so that no reader sees half of it."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps([asdict(entry) for entry in entries], indent=1) + "\n", encoding="utf-8")
    new.replace(path)


def read_pids(path: Path) -> list[Entry]:
    """Return the entries in the order of their start; none where the file is missing or damaged."""
    try:
        return [Entry(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def end_orphans(path: Path, mark: str, say: Callable[[str], None]) -> None:
    """End the processes of the last run, last started first. mark: the run's value of process_tree.MARK."""
    for entry in reversed(read_pids(path)):
        if leader := process_tree.find(entry.pid, entry.created):
            say(f"{entry.name} (pid {entry.pid}) is left from the last run; stopping it")
            process_tree.end(leader, patience=entry.stop_timeout)
    if strays := process_tree.marked(mark):
        say(f"stopping other processes of the last run: pid {', '.join(str(stray.pid) for stray in strays)}")
        process_tree.clear(strays)
    write_pids(path, ())


def main(data: str) -> None:
    folder = Folder(Path(data))
    sys.stdin.buffer.read()
    end_orphans(folder.pids, folder.mark, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main(sys.argv[1])
