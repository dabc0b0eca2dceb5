"""The recipes of docs/, as the shell of a CI system gets them."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TUTORIAL = "docs/tutorials/first-approval.md"


def recipe(name: str, file: str) -> str:
    """Return the code block behind <!-- recipe: name -->."""
    found = re.search(
        rf"<!-- recipe: {name} -->\n```\w+\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL
    )
    assert found, f"{file} has no recipe {name}"
    return found[1]


def _ci(name: str, page: str = "") -> str:
    return recipe(name, f"docs/how-to/ci/{page or name}.md")


def script() -> str:
    """Return tell-registrar.sh."""
    return _ci("tell", "index")


def github() -> str:
    return str(yaml.safe_load(_ci("github"))["jobs"]["train"]["steps"][-1]["run"])


def gitlab() -> str:
    return str(yaml.safe_load(_ci("gitlab"))["train"]["script"][-1])


def jenkins() -> str:
    """What Groovy makes of a ''' string: a backslash escapes."""
    return re.sub(r"\\(.)", r"\1", re.findall(r"sh '''\n(.*?)'''", _ci("jenkins"), re.DOTALL)[-1])


def circleci() -> str:
    return str(yaml.safe_load(_ci("circleci"))["jobs"]["train"]["steps"][-1]["run"])


def buildkite() -> str:
    """As it is after the upload, which leaves $ of $$."""
    return str(yaml.safe_load(_ci("buildkite"))["steps"][0]["command"][-1]).replace("$$", "$")


def azure() -> str:
    return str(yaml.safe_load(_ci("azure", "azure-devops"))["steps"][-1]["script"])


def bitbucket() -> str:
    return str(yaml.safe_load(_ci("bitbucket"))["pipelines"]["branches"]["main"][0]["step"]["script"][-1])
