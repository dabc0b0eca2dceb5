"""The first registrar.yml: a commented template, and the secrets that it names."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from registrar.config.key_generation import new_webhook_secret
from registrar.local.data_folder import Folder


def starter_text() -> str:
    """The template. Its secrets are named relative to the file: the folder may move."""
    return files("registrar.local").joinpath("starter.yml").read_text(encoding="utf-8")


def starter(folder: Folder, say: Callable[[str], None]) -> Path:
    """DATA/registrar.yml: written once, then yours."""
    for source in ("ci", "operator"):
        folder.secret(f"{source}.whsec", new_webhook_secret)
    if not folder.config.exists():
        folder.config.write_text(starter_text(), encoding="utf-8")
        say(f"wrote a first policy, with comments: {folder.config}")
    return folder.config
