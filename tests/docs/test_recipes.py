"""The README's recipes are the tutorial's, and every example of registrar.yml is one that the parts start with."""

import re
import shlex
from importlib import import_module
from importlib.util import find_spec
from inspect import signature

import click
import pytest
import yaml

from registrar import plugins
from registrar.cli import main
from registrar.events.types import VOCABULARY
from registrar.policy import plugin_options
from registrar.policy.load import parse
from tests.docs.pages import examples, pages
from tests.recipes import ROOT, TUTORIAL, recipe
from worker.__main__ import ROLES
from worker.notifications import channels

# What examples leave to the rest of the file.
REST = {
    "version": 1,
    "people": {name: {"name": name.title(), "accounts": {"mlflow": name}} for name in ("ada", "bob", "eve")},
    "groups": {name: ["ada", "bob"] for name in ("taxi-owners", "risk", "oncall", "data-science", "platform")},
    "channels": {name: {"kind": "log"} for name in ("leads", "serving", "team")},
}
SECTIONS = re.compile(r"^(sources|channels|models|access|people|notify):", re.MULTILINE)
POLICIES = [pytest.param(text, id=place) for place, text in examples("yaml") if SECTIONS.match(text)]


@pytest.mark.parametrize("name", ["train", "export", "curl", "approve"])
def test_the_readme_has_the_tutorials_recipe(name: str):
    """tests/slow/e2e/test_readme.py runs the tutorial's."""
    assert recipe(name, "README.md") == recipe(name, TUTORIAL)


@pytest.mark.parametrize("example", POLICIES)
def test_every_example_is_a_registrar_yml_that_the_parts_start_with(example: str):
    written = yaml.safe_load(example)
    whole = {key: {**REST.get(key, {}), **written.get(key, {})} for key in ("people", "groups", "channels")}
    policy = parse(yaml.safe_dump({"version": 1, **written, **whole}))
    channels.check(policy)
    for source in policy.sources.values():
        plugin_options.read(plugins.load("webhooks.sources", source.kind), source.options)


def test_every_event_that_the_readme_sends_is_valid():
    sent = re.findall(r"`registrar send ([a-z][^`]+)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sent
    for line in sent:
        type_, *fields = shlex.split(line.partition(" --")[0])
        assert VOCABULARY[type_].model_validate(dict(field.split("=", 1) for field in fields))


def test_every_command_that_the_readme_shows_for_mlflow_client_is_understood():
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## From MlflowClient")[2].partition("\n## ")[0]
    shown = [line for line in re.findall(r"`registrar ([a-z][^`]+)`", table) if "TYPE" not in line]
    assert len(shown) > 15
    for line in shown:
        name, *words = shlex.split(line.replace("...", "x"))
        command = main.get_command(click.Context(main), name)
        assert command, line
        command.make_context(name, words, parent=click.Context(main), resilient_parsing=False)


def test_every_program_of_ours_that_a_page_starts_can_be_started():
    text = " ".join(
        " ".join(page.read_text(encoding="utf-8").split()) for page in pages() if page.name != "CHANGELOG.md"
    )
    programs = re.findall(r"python -m ((?:registrar|webhooks|worker)[\w.]*)(?: (\w+))?", text)
    assert {module for module, _ in programs} >= {"webhooks.serve", "worker"}
    for module, word in programs:
        assert find_spec(module), module
        assert module != "worker" or word in ROLES, f"python -m worker {word}"
    assert re.findall(r"celery (?:-A|--app)[ =]\S+", text) == [], (
        "no module of ours has a Celery app when it is imported"
    )
    for module, name in re.findall(r"`(webhooks[\w.]*):(\w+)", text):
        assert not signature(getattr(import_module(module), name)).parameters, "a WSGI server calls it without any"
