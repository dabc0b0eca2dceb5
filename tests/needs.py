"""What a test needs of the machine: missing, it skips on a laptop and fails in CI, and says how to get it."""

import os
import shutil
from pathlib import Path

import pytest


def needs(program: str, *, install: str, elsewhere: str | None = None) -> str:
    """The program's path. elsewhere: a glob below / of folders to look in beside the PATH.

    Skips the test, or fails it where CI=true.
    """
    beside = map(str, sorted(Path("/").glob(elsewhere), reverse=True)) if elsewhere else ()
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *beside])
    if found := shutil.which(program, path=places):
        return found
    missing = f"there is no {program} on this machine; {install}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
