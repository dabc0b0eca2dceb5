"""Who may send what: one entry per sender, each with its secrets and its grants."""

from typing import Annotated, Any

from pydantic import Field

from registrar.events.types.terms import Form
from registrar.policy.base_model import Glob, SecretRef, Strict, matches


class Grant(Strict):
    """These events, about these models. Events about no model (experiment.create) need models: ["*"]."""

    events: Annotated[list[Glob], Field(min_length=1, description="event types or globs: training_run.*")]
    models: Annotated[list[Glob], Field(min_length=1, description='registered models or globs; ["*"] for all')]


class Source(Strict):
    """A sender: POST /webhooks/<its name here>. What it may not send explicitly, it may not send."""

    kind: Annotated[str, Field(description="the file in webhooks/sources/ that knows its signature and payloads")]
    secrets: Annotated[
        list[SecretRef], Field(min_length=1, max_length=2, description="the current one, and while rotating the old")
    ]
    may: Annotated[list[Grant], Field(description="default deny")] = []
    max_bytes: Annotated[int, Field(ge=1024, le=26_214_400, description="largest body, in bytes")] = 1_048_576
    rate_limit: Annotated[
        str,
        Form(r"^[1-9][0-9]{0,5}/(second|minute)$(?!\n)", "is no rate such as 6000/minute or 100/second"),
        Field(description="of its signed requests; more are 429"),
    ] = "6000/minute"
    max_unfinished: Annotated[
        int, Field(ge=1, le=1_000_000, description="of its tasks that are not done yet; more is refused with a 503")
    ] = 10_000
    tolerance: Annotated[int, Field(ge=10, le=3600, description="how far a timestamp may be off, in seconds")] = 300
    options: Annotated[dict[str, Any], Field(description="what only this kind knows; its file says which")] = {}
    reply_to: Annotated[
        list[str], Field(description="hosts that answers to this sender's people may be posted to; else its kind's")
    ] = []

    def grants(self, event_type: str, model: str | None) -> bool:
        """Whether this source may send such an event about such a model."""
        return any(
            matches(grant.events, event_type)
            and ("*" in grant.models if model is None else matches(grant.models, model))
            for grant in self.may
        )

    def grants_any(self, event_type: str) -> bool:
        """Whether this source may send such an event about some model."""
        return any(matches(grant.events, event_type) for grant in self.may)

    def refusal(self, name: str, event_type: str, model: str | None) -> str:
        """What was wrong and what would be right, for a sender that asked for too much."""
        about = f" about {model}" if model else ""
        granted = "; ".join(f"{', '.join(g.events)} on {', '.join(g.models)}" for g in self.may) or "nothing"
        return (
            f"source {name} may not send {event_type}{about}; registrar.yml grants it: {granted}. "
            f"To allow it, add an entry to sources.{name}.may"
        )
