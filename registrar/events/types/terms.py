"""What every event's data is made of: names, versions, stages, links; in the forms that are taken."""

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

from registrar.text.sanitize import absent, kept, unseen

STAGES = ("None", "Staging", "Production", "Archived")


def _version(value: object) -> object:
    """MLflow's API gives versions as strings; both spellings are taken, True and 2.0 are not."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a version is a whole number such as 3")
    return value


def _stage(value: object) -> object:
    """MLflow takes stages in any case; so do we, and keep its own spelling."""
    return next((s for s in STAGES if isinstance(value, str) and s.lower() == value.lower()), value)


@dataclass(frozen=True)
class Form:
    """Of a text. rule: what is said of one that has it not, behind the field's name."""

    pattern: str
    rule: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, of: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(of), "pattern": self.pattern}

    def _check(self, value: str) -> str:
        if wrong := _wrong(value):
            raise ValueError(wrong)
        if not re.search(self.pattern, value):
            raise ValueError(self.rule)
        return value


def _wrong(value: str) -> str | None:
    """What is wrong with a text whatever its form; None: nothing."""
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
    """`git rev-parse` ends in a line break."""
    return value.strip() if isinstance(value, str) else value


# Python's $ also matches before a final line break; $(?!\n) does not, and means the same in a JSON Schema.
#
# What people write: never refused, but kept as registrar/text/sanitize.py says.
Text = Annotated[str, BeforeValidator(_validate_text)]
# What goes to MLflow as it is, such as a search.
Exact = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$(?!\n)", max_length=2000)]
# MLflow refuses "/" and ":" in model names, and ".." at their beginning (mlflow.utils.validation._validate_model_name:
# "..." too); a "\" at the end is taken for an escape in its searches.
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
# Kept by Registrar, and by MLflow: a tag of its own has it take a version for a prompt, and hide the whole model.
RESERVED = ("registrar.", "mlflow.")


def _tags(tags: object) -> object:
    """Numbers and booleans as texts, and without what says nothing.

    Raises ValueError for keys that no sender may set. In any case: some databases tell none apart.
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
    pressing: ClassVar[bool] = False  # what people decide or ask: taken while the rest must wait outside
    asks: ClassVar[bool] = True  # for something, which may be refused; else it reports what happened

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, given: Any) -> Any:
        """A field that may be left out is left out where it says nothing: variables of CI are empty, not absent."""
        if not isinstance(given, dict):
            return given
        optional = {name for name, field in cls.model_fields.items() if field.default in (None, False, {})}
        return {name: value for name, value in given.items() if not (name in optional and absent(value))}

    @property
    def registered_model(self) -> str | None:
        """The registered model it is about: what a source's grant and the lane are judged by."""
        return getattr(self, "model", None)

    def lane(self, event_id: str) -> str:
        """Work of one lane runs one at a time, in the order of acceptance (DESIGN.md section 3)."""
        return f"{MODEL_LANE}{self.registered_model}" if self.registered_model else f"event:{event_id}"


class OneVersion(Data):
    """An event about one version of one model."""

    model: ModelName
    version: Version
