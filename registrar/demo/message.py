"""What arrives at the demo's chat and deploy system: as Slack's Block Kit, or as a Standard Webhooks event."""

import html
import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from rich.emoji import Emoji


class Words(BaseModel):
    """A text object. https://docs.slack.dev/reference/block-kit/composition-objects/text-object"""

    text: str


class Element(BaseModel):
    """A text of a context block, or a button. action_id and value come back with a click."""

    text: Words | str
    action_id: str = ""
    value: str = ""

    @property
    def label(self) -> str:
        return self.text if isinstance(self.text, str) else self.text.text


class Block(BaseModel):
    """A part of a message. https://docs.slack.dev/reference/block-kit/blocks"""

    type: str
    text: Words | None = None
    elements: list[Element] = []

    @property
    def lines(self) -> list[str]:
        own = [self.text.text] if self.text else []
        return own + [f"  {element.label}" for element in self.elements if not element.action_id]


class Content(BaseModel):
    """The JSON of either kind. Where a message has blocks, its text is only for notifications."""

    text: str = ""
    blocks: list[Block] = []
    type: str = ""
    data: dict[str, Any] = {}


@dataclass(frozen=True)
class Message:
    """What arrived. place: "team-chat", "deploy", or "reply/ID" for an answer that only one person sees."""

    place: str
    content: Content

    @property
    def lines(self) -> list[str]:
        """What people read, as a chat shows it; a deploy system's line of log."""
        if self.place == "deploy":
            data = self.content.data
            return [f"{self.content.type}: {data.get('text') or json.dumps(data)}"]
        written = [line for block in self.content.blocks for line in block.lines] or [self.content.text]
        return [_shown(line) for line in written]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def buttons(self) -> dict[str, Element]:
        """By action_id."""
        found = [element for block in self.content.blocks for element in block.elements]
        return {element.action_id: element for element in found if element.action_id}


def _shown(text: str) -> str:
    """Slack's :emoji: as such, and its three escaped characters as themselves."""
    return html.unescape(Emoji.replace(text))
