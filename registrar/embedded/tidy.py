"""`python -m registrar.embedded.tidy DATA`: waits until its stdin is closed, then ends what is left of the run."""

import sys
from pathlib import Path

from registrar.embedded import leftovers
from registrar.embedded.folder import Folder


def main(data: str) -> None:
    folder = Folder(Path(data))
    sys.stdin.buffer.read()
    leftovers.end(folder.pids, folder.mark, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main(sys.argv[1])
