"""What is refused beforehand is what MLflow itself refuses: no more, no less."""

import pytest
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_model_alias_name_reserved, _validate_model_version_tag
from pydantic import ValidationError

from registrar.events.types import parse
from registrar.policy import Target
from worker.registry import entities

KEYS = [
    "risk",
    "a/b",
    "a b",
    "a:b",
    "a.b",
    "_",
    "é",
    "risk!",
    "a//b",
    "../a",
    "..a",
    "/a",
    "a/",
    "a/.",
    ".",
    "a\tb",
    "a\\b",
]
ALIASES = ["champion", "latest", "Latest", "lAtEsT", "latest1", "v1", "V1", "V02", "v", "v1a", "vv1"]


def refused(check, *given) -> bool:
    try:
        check(*given)
    except (MlflowException, ValidationError):
        return True
    return False


@pytest.mark.parametrize("key", KEYS)
def test_a_tags_name(key):
    said = {"model": "taxi", "version": 1, "tags": {key: "x"}}
    assert refused(parse, "model_version.describe", said) == refused(_validate_model_version_tag, key, "x")


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias(alias):
    target = {"stage": "Staging", "alias": alias, "approval": "automatic"}
    assert refused(Target.model_validate, target) == refused(_validate_model_alias_name_reserved, alias)


def test_a_long_text_is_cut_with_a_mark_and_a_short_one_is_not():
    assert entities.cut_tag("x" * entities.MAX_TAG) == "x" * entities.MAX_TAG
    assert entities.cut_tag("x" * (entities.MAX_TAG + 1)) == "x" * (entities.MAX_TAG - 1) + "…"
