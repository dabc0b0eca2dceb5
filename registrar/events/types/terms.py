"""The types of the fields of events: names, versions, stages, links, texts."""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from registrar.events.states import STAGES
from registrar.text.sanitize import absent, kept, unseen


def _version(value: object) -> object:
    """Accept a version as a number, and as a string, as MLflow's API has it. Raises ValueError for True and 2.0."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a version is a whole number such as 3")
    return value


def _stage(value: object) -> object:
    """Accept a stage in any case, as MLflow does, and return MLflow's spelling."""
    return next((s for s in STAGES if isinstance(value, str) and s.lower() == value.lower()), value)


@dataclass(frozen=True)
class Form:
    """The form of a text. rule: the error for another form, which follows the field's name."""

    pattern: str
    rule: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, of: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(of), "pattern": self.pattern}

    def _check(self, value: str) -> str:
        if reason := _why_invalid(value):
            raise ValueError(reason)
        if not re.search(self.pattern, value):
            raise ValueError(self.rule)
        return value


def _why_invalid(value: str) -> str | None:
    """Say what is wrong with a text, whatever its form; None: nothing."""
    if not value.strip():
        return "is empty"
    if "\n" in value or "\r" in value:
        return "has a line break"
    if "\N{REPLACEMENT CHARACTER}" in value:
        return "has a character that was broken on its way (U+FFFD)"
    if code := unseen(value):
        return f"has a character that can't be seen ({code})"
    return None


def _validate_text(value: object) -> object:
    return kept(value) if isinstance(value, str) else value


def _trimmed(value: object) -> object:
    """Strip a text: the output of `git rev-parse` ends in a line break."""
    return value.strip() if isinstance(value, str) else value


# Python's $ also matches before a final line break; $(?!\n) does not, and means the same in a JSON Schema.
#
# Texts of people are never refused; sanitize.kept cleans and cuts them.
Text = Annotated[str, BeforeValidator(_validate_text)]
# Texts that go to MLflow unchanged, such as searches.
Exact = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$(?!\n)", max_length=2000)]
# MLflow refuses "/" and ":" in model names, and ".." and "..." at their beginning
# (mlflow.utils.validation._validate_model_name); its searches take a "\" at the end for an escape.
ModelName = Annotated[
    str,
    Form(
        r"^(?!\.$)(?!\.\.)[^/:\x00-\x1f\x7f-\x9f]{1,250}(?<!\\)$(?!\n)",
        "is no name for a model: it has 1 to 250 characters, no / or :, no \\ at the end, is not ., and does not begin "
        "with ..",
    ),
]
Name = Annotated[str, Form(r"^[^\x00-\x1f\x7f-\x9f]{1,250}$(?!\n)", "is longer than 250 characters")]
Commit = Annotated[Name, BeforeValidator(_trimmed)]
RunId = Annotated[
    str,
    Form(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$(?!\n)", "is no run's id: it has letters, digits, - and _, 256 at most"),
]
Version = Annotated[int, BeforeValidator(_version), Field(ge=1, le=2**31 - 1)]
Stage = Annotated[Literal["None", "Staging", "Production", "Archived"], BeforeValidator(_stage)]
# A path inside a run's or version's artifacts: relative, without "..", "\" or "//".
ArtifactPath = Annotated[
    str,
    Form(
        r"^(?!/)(?!.*(^|/)\.\.?(/|$))(?!.*//)[^\\\x00-\x1f\x7f]{1,500}$(?!\n)",
        "is no path within a run's artifacts: such as model or folder/model, without .. // or \\, of 500 characters",
    ),
]
# Shown to people, never followed. No user before the host, no characters that end a link in chat markup.
LINK = r"^https?://[A-Za-z0-9._~:/?#&+,;=%-]{1,500}$(?!\n)"
Link = Annotated[
    str, Form(LINK, "is no link that can be shown: it begins with https:// or http://, 500 characters at most")
]
# Prefixes reserved for Registrar and MLflow: one of MLflow's tags makes it take a version for a prompt, and hide the
# whole model.
RESERVED = ("registrar.", "mlflow.")


def _tags(tags: object) -> object:
    """Convert numbers and booleans to texts, and drop null values.

    Raises ValueError for reserved keys, in upper or lower case, which some databases do not distinguish.
    """
    if not isinstance(tags, dict):
        return tags
    if taken := [str(key)[:60] for key in tags if str(key).strip().lower().startswith(RESERVED)]:
        own = taken[0].strip().partition(".")[2] or "note"
        raise ValueError(
            f"no event may set the tag {' or '.join(taken[:2])}: tags that begin with {' or '.join(RESERVED)} are kept "
            f"by Registrar and MLflow; choose another name, such as {own!r}"
        )
    return {key: _tag(value) for key, value in tags.items() if value is not None}


def _tag(value: object) -> object:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return value


# MLflow's own rule for keys (mlflow.utils.validation._validate_tag_name): it reads them as paths.
_TagKey = Annotated[
    str,
    Form(
        r"^(?!registrar\.)(?!mlflow\.)(?!/)(?!\.\.)(?!.*//)(?!(.*/)?\.\.?(/|$))[\w.\- /:]{1,250}(?<!/)$(?!\n)",
        "is no key that MLflow takes: it has letters, digits, blanks and _ - . : / only, 250 at most, and is no path "
        "with // or .., or with a / at an end",
    ),
]
Tags = Annotated[dict[_TagKey, Text], Field(max_length=50), BeforeValidator(_tags)]


MODEL_LANE = "model:"  # begins the lane of all work on one model


class Data(BaseModel):
    """The `data` of one event type. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    type: ClassVar[str]
    task: ClassVar[str]  # the Celery task that acts on it
    pressing: ClassVar[bool] = False  # a decision or question of a person: accepted while other events are refused
    asks: ClassVar[bool] = True  # a request, which may be refused; False: a report of something that happened

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_fields(cls, data: Any) -> Any:
        """Drop optional fields that are null or empty: a CI system's variables are empty, not absent."""
        if not isinstance(data, dict):
            return data
        optional = {name for name, field in cls.model_fields.items() if field.default in (None, False, {})}
        return {name: value for name, value in data.items() if not (name in optional and absent(value))}

    @property
    def registered_model(self) -> str | None:
        """The registered model it is about, which decides about the source's grant and the lane."""
        return getattr(self, "model", None)

    def lane(self, event_id: str) -> str:
        """Return the lane: tasks of one lane run one at a time, in the order of acceptance (docs/decisions/0007)."""
        return f"{MODEL_LANE}{self.registered_model}" if self.registered_model else f"event:{event_id}"


class OneVersion(Data):
    """An event about one version of one model."""

    model: ModelName
    version: Version
