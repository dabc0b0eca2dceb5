"""`python -m registrar.local.reaper_process DATA`: waits for the end of stdin, then ends what is left of the run."""

import sys
from pathlib import Path

from registrar.local import orphans
from registrar.local.data_folder import Folder


def main(data: str) -> None:
    folder = Folder(Path(data))
    sys.stdin.buffer.read()
    orphans.end(folder.pids, folder.mark, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main(sys.argv[1])
