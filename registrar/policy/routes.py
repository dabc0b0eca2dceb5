"""Channels, and the routes by which outcomes of models go to them."""

from typing import Annotated, Any

from pydantic import Field

from registrar.policy.base_model import Glob, SecretRef, Strict, matches


class Channel(Strict):
    """A channel to people or systems. Addresses of chat webhooks are secrets too."""

    kind: Annotated[str, Field(description="the file in worker/notifications/notifiers/ that knows how to post there")]
    url: SecretRef | None = None
    secret: Annotated[SecretRef | None, Field(description="signs what is posted, where the kind signs")] = None
    buttons: Annotated[
        str | None, Field(description="the source of this file that presses come in by; else the only one of its kind")
    ] = None
    options: Annotated[dict[str, Any], Field(description="what only this kind knows; its file says which")] = {}


class Route(Strict):
    """These outcomes of these models go to these channels."""

    outcomes: Annotated[list[Glob], Field(min_length=1, description="such as promotion.*; [*] for all")]
    models: Annotated[list[Glob], Field(min_length=1)] = ["*"]
    to: Annotated[list[str], Field(min_length=1, description="channels of this file")]

    def wants(self, outcome: str, model: str | None) -> bool:
        return matches(self.outcomes, outcome) and (model is None or matches(self.models, model))
