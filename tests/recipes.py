"""The recipes of README.md and docs/ci.md, as the shell of a CI system gets them."""

import re
from pathlib import Path

import yaml

DOCS = Path(__file__).parents[1]


def recipe(name: str, file: str = "docs/ci.md") -> str:
    """The code block behind <!-- recipe: name -->."""
    found = re.search(
        rf"<!-- recipe: {name} -->\n```\w+\n(.*?)```", (DOCS / file).read_text(encoding="utf-8"), re.DOTALL
    )
    assert found, f"{file} has no recipe {name}"
    return found[1]


def github() -> str:
    return str(yaml.safe_load(recipe("github", "README.md"))["jobs"]["train"]["steps"][-1]["run"])


def gitlab() -> str:
    return str(yaml.safe_load(recipe("gitlab", "README.md"))["train"]["script"][-1])


def jenkins() -> str:
    """What Groovy makes of a ''' string: a backslash escapes."""
    return re.sub(r"\\(.)", r"\1", re.findall(r"sh '''\n(.*?)'''", recipe("jenkins", "README.md"), re.DOTALL)[-1])


def circleci() -> str:
    return str(yaml.safe_load(recipe("circleci"))["jobs"]["train"]["steps"][-1]["run"])


def buildkite() -> str:
    """As it is after the upload, which leaves $ of $$."""
    return str(yaml.safe_load(recipe("buildkite"))["steps"][0]["command"][-1]).replace("$$", "$")


def azure() -> str:
    return str(yaml.safe_load(recipe("azure"))["steps"][-1]["script"])


def bitbucket() -> str:
    return str(yaml.safe_load(recipe("bitbucket"))["pipelines"]["branches"]["main"][0]["step"]["script"][-1])
