"""How the demo looks: numbered steps, what was seen in each, and messages as they come in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

from registrar.cli.progress import Screen as Live
from registrar.demo.chat import Message
from registrar.demo.registry import Version

INDENT = "    "


@dataclass
class Screen:
    """Writes to a console; readable without colours and through a pipe."""

    console: Console
    live: Live
    _at: str = field(default="the start", init=False)

    def step(self, number: int, title: str) -> None:
        self._at = f"step {number}, {title}"
        if self.console.is_terminal:
            self.live.progress(title)
        self._print(f"\n[bold cyan]{number}[/] [bold]{escape(title)}[/]")

    def saw(self, text: str) -> None:
        """A line about what a step did or saw."""
        for line in text.splitlines():
            self._print(INDENT + escape(line.rstrip()))

    def good(self, text: str) -> None:
        self._print(f"{INDENT}[green]✓[/] {escape(text)}")

    def version(self, version: Version) -> None:
        """A version with its description and tags, as the registry has them."""
        self._print(f"{INDENT}[bold]{escape(str(version))}[/]")
        for line in version.description.splitlines():
            self._print(f"{INDENT}  [dim]│[/] {escape(line)}")
        for key, value in sorted(version.tags.items()):
            self._print(f"{INDENT}  [dim]{escape(key)}[/] = {escape(value)}")

    def message(self, message: Message) -> None:
        """A message that has just arrived at the chat or the deploy system."""
        place = message.place.partition("/")[0]
        prefix, colour = {
            "team-chat": ("#team-chat", "magenta"),
            "deploy": ("deploy system", "yellow"),
        }.get(place, ("only you see", "blue"))
        buttons = "  ".join(f"[ {button.label} ]" for button in message.buttons.values())
        said = [line for part in message.lines for line in part.splitlines()]  # a part of a card may have several
        for line in filter(None, [*said, buttons]):
            self._print(f"{INDENT}[{colour}]{prefix:>13} ┃[/] {escape(line)}")

    def failure(self, lines: list[str]) -> None:
        """What went wrong in the step that was announced last."""
        self._print(f"\n[bold red]✗ failed in: {escape(self._at)}[/]")
        for line in lines:
            self.saw(line)

    def facts(self, rows: Mapping[str, str]) -> None:
        """Names and what they are."""
        width = max(map(len, rows))
        for name, value in rows.items():
            self._print(f"{INDENT}[dim]{escape(name):<{width}}[/]  {escape(value)}")

    def heading(self, text: str) -> None:
        self._print(f"\n[bold]{escape(text)}[/]")

    def _print(self, markup: str) -> None:
        """A terminal may go away while the parts are still to be stopped in order."""
        with suppress(OSError):
            self.console.print(markup, soft_wrap=True, highlight=False)


@contextmanager
def on_screen() -> Iterator[Screen]:
    """On stdout; a terminal also shows what is being waited for."""
    console = Console(highlight=False, soft_wrap=True)
    with Live(console) as live:
        yield Screen(console, live)
