"""What the files of the repository's habits name is there: paths of the hooks and of the code owners."""

import re
import subprocess

import yaml

from tests.docs.pages import ROOT


def files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    return listed.stdout.splitlines()


def test_each_path_that_a_hook_of_pre_commit_waits_for_is_there():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    for pattern in "|".join(hook["files"] for hook in hooks if "files" in hook).split("|"):
        assert any(re.search(pattern, file) for file in files()), pattern


def test_each_path_with_owners_is_there():
    lines = (ROOT / ".github" / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    paths = [line.split()[0] for line in lines if line.startswith("/")]
    assert [path for path in paths if not (ROOT / path[1:]).exists()] == []
