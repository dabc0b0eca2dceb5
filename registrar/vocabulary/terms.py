"""What every event's data is made of: names, versions, stages, links; in the forms that are taken."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

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


# Python's $ also matches before a final line break; $(?!\n) does not, and means the same in a JSON Schema.
# No control characters: they forge log lines, and PostgreSQL refuses NUL.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$(?!\n)", max_length=2000)]
# MLflow refuses "/" and ":" in model names (mlflow.utils.validation._validate_model_name).
ModelName = Annotated[str, StringConstraints(pattern=r"^(?!\.{1,2}$)[^/:\x00-\x1f\x7f]{1,250}$(?!\n)")]
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,250}$(?!\n)")]
RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$(?!\n)")]
Version = Annotated[int, BeforeValidator(_version), Field(ge=1, le=2**31 - 1)]
Stage = Annotated[Literal["None", "Staging", "Production", "Archived"], BeforeValidator(_stage)]
# A path inside a run's or version's artifacts: relative, without "..", "\" or "//".
ArtifactPath = Annotated[
    str, StringConstraints(pattern=r"^(?!/)(?!.*(^|/)\.\.?(/|$))(?!.*//)[^\\\x00-\x1f\x7f]{1,500}$(?!\n)")
]
# Shown to people, never followed. No user before the host, no characters that end a link in chat markup.
LINK = r"^https?://[A-Za-z0-9._~:/?#&+,;=%-]{1,500}$(?!\n)"
Link = Annotated[str, StringConstraints(pattern=LINK)]
# Kept by Registrar, and by MLflow: a tag of its own has it take a version for a prompt, and hide the whole model.
RESERVED = ("registrar.", "mlflow.")


def _not_reserved(tags: object) -> object:
    """Raise ValueError for keys that no sender may set. In any case: some databases tell none apart."""
    if not isinstance(tags, dict):
        return tags
    if taken := [str(key)[:60] for key in tags if str(key).strip().lower().startswith(RESERVED)]:
        own = taken[0].strip().partition(".")[2] or "note"
        raise ValueError(
            f"no event may set the tag {' or '.join(taken[:2])}: tags that begin with {' or '.join(RESERVED)} are kept "
            f"by Registrar and MLflow; choose another name, such as {own!r}"
        )
    return tags


# The pattern is for the JSON Schema; _not_reserved has the sentence.
_TagKey = Annotated[str, StringConstraints(pattern=r"^(?!registrar\.)(?!mlflow\.)[^\x00-\x1f\x7f]{1,250}$(?!\n)")]
Tags = Annotated[dict[_TagKey, Text], Field(max_length=50), BeforeValidator(_not_reserved)]


MODEL_LANE = "model:"  # begins the lane of all work on one model


class Data(BaseModel):
    """The `data` of one event type. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    type: ClassVar[str]
    task: ClassVar[str]  # the Celery task that acts on it
    pressing: ClassVar[bool] = False  # what people decide or ask: taken while the rest must wait outside

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
