"""`options` in registrar.yml: what only one kind of source or channel knows; its file offers a class for them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from registrar.plugins import UnknownKind, kinds, load
from registrar.policy.document import Policy
from registrar.policy.errors import Complaint, Place
from registrar.policy.key_index import keys
from registrar.policy.validation_messages import complaints
from registrar.text.wording import did_you_mean


class NoOptions(BaseModel):
    """Of a kind that offers no Options: every key is one too many."""

    model_config = ConfigDict(extra="forbid")


class BadOptions(ValueError):
    """The message names each wrong key and says why. complaints: the same, each with its place below options."""

    def __init__(self, wrong: Iterable[Complaint]) -> None:
        self.complaints = list(dict.fromkeys(wrong))
        super().__init__(
            "; ".join(": ".join(filter(None, [".".join(map(str, at)), why])) for at, why in self.complaints)
        )


def offered(kind: object) -> type[BaseModel]:
    """The options that a plug-in's module takes."""
    own: type[BaseModel] = getattr(kind, "Options", NoOptions)
    return own


def read(kind: object, given: Mapping[str, Any]) -> BaseModel:
    """The options of a plug-in's module as its own Options. Raises BadOptions."""
    own = offered(kind)
    try:
        return own.model_validate(given)
    except ValidationError as error:
        raise BadOptions(complaints(own, error, given, examples={})) from None


FOLDERS = {"sources": "webhooks.sources", "channels": "worker.notifications.notifiers"}
_PRESETS = "webhooks.sources.generic.presets"


def known(section: str) -> list[str]:
    """The kinds of sources, or of channels; [] where that part is not installed here."""
    return kinds(FOLDERS[section])


def options(section: str, kind: object) -> type[BaseModel] | None:
    """What a kind takes; None where it can't be asked: it is no kind, or its own library is missing here."""
    try:
        return offered(load(FOLDERS[section], str(kind))) if kind in known(section) else None
    except ImportError:
        return None


def unknown(section: str, kind: str) -> str | None:
    """What to say of a kind that does not exist; None of one that does, and where none can be known."""
    here = known(section)
    if not here or kind in here:
        return None
    if section == "sources" and kind.replace("-", "_") in kinds(_PRESETS):
        return f"{kind!r} is a preset: kind: generic, and options: {{preset: {kind}}}"
    return f"there is no kind {kind!r}{did_you_mean(kind, here)}"


def option_of(content: Any) -> Callable[[Place], str | None]:
    """Return what says of an unknown key of a source or channel that it is an option of its kind."""

    def complaint(place: Place) -> str | None:
        if len(place) != 3 or place[0] not in FOLDERS:
            return None
        section, key = str(place[0]), str(place[2])
        entry = content[section][place[1]]
        taken = options(section, entry.get("kind"))
        return f"it goes under options: {{{key}: ...}}" if taken and key in keys(taken) else None

    return complaint


def needs(kind: str) -> tuple[str, ...]:
    """What a channel of this kind can't post without: url, secret, or one of both; () where it can't be asked."""
    try:
        found: tuple[str, ...] = getattr(load(FOLDERS["channels"], kind), "NEEDS", ())
    except (ImportError, UnknownKind):
        return ()
    return found


def option_values(policy: Policy, key: str) -> Iterator[str]:
    """What sources say for an option."""
    yield from (value for source in policy.sources.values() if isinstance(value := source.options.get(key), str))
