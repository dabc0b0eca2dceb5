"""deploy/grafana and deploy/prometheus ask for what a real scrape shows, by labels that it has."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from registrar.policy.load import parse
from tests.metrics.test_doc import RECEIVER, WORKER, shown, told
from tests.needs import needs
from tests.webhooks.conftest import REGISTRAR_YML
from webhooks.monitoring.metrics import Metrics
from worker import observability

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy/grafana/dashboards/registrar.json"
RULES = ROOT / "deploy/prometheus/rules.yml"
FROM_PROMETHEUS = {"job", "instance", "le"}
_SELECTED = re.compile(r"(registrar_\w+)(?:\{([^}]*)\})?")
_BY = re.compile(r"by \(([^)]*)\)")


def panels() -> Iterator[dict[str, Any]]:
    yield from json.loads(DASHBOARD.read_text())["panels"]


def asked() -> list[str]:
    """Every expression of the dashboard and the rules."""
    on_panels = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    return on_panels + rules


# Names that are kept for one release, for other people's dashboards.
FORMER = {"registrar_last_bell_age_seconds"}


def plain(name: str) -> str:
    return re.sub("_(bucket|sum|count)$", "", name)


@pytest.fixture
def known(ledger) -> set[str]:
    receiver = Metrics(["ci"], dict, ledger, parse(REGISTRAR_YML))
    return set(shown((receiver.text() + observability.metrics_text()).decode()))


def test_every_metric_that_is_asked_for_is_there(known):
    names = {plain(name) for expression in asked() for name, _ in _SELECTED.findall(expression)}
    assert len(names) > 25
    assert names - known == set()


def test_every_metric_has_a_panel():
    on_panels = " ".join(target["expr"] for panel in panels() for target in panel.get("targets", []))
    documented = (told(RECEIVER) | told(WORKER)).keys() - FORMER
    assert {name for name in documented if name not in on_panels} == set()


@pytest.mark.parametrize("expression", asked())
def test_only_labels_that_a_metric_has_are_used(expression):
    has = {name: labels for name, (_, labels) in (told(RECEIVER) | told(WORKER)).items()}
    everyones: set[str] = set(FROM_PROMETHEUS)
    for name, selector in _SELECTED.findall(expression):
        everyones |= has[plain(name)]
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= has[plain(name)] | FROM_PROMETHEUS
    for names in _BY.findall(expression):
        assert {name.strip() for name in names.split(",")} <= everyones


def test_what_the_ledger_says_is_never_summed_over_receivers():
    """Each receiver says the same."""
    gauges = {name for name, (type_, _) in told(RECEIVER).items() if type_ == "gauge"}
    for expression in asked():
        for name in gauges:
            assert not re.search(rf"sum( by \([^)]*\))? ?\({name}", expression), expression


def test_no_panel_lies_over_another_and_each_says_where_its_numbers_are_from():
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)


def test_promtool_takes_the_rules_and_they_fire_when_they_should(tmp_path):
    promtool = needs("promtool", install="apt-get install prometheus")
    subprocess.run([promtool, "check", "rules", RULES], check=True, capture_output=True, timeout=60)
    tests = tmp_path / "alerts.yml"
    tests.write_text((Path(__file__).parent / "alerts.yml").read_text().replace("RULES", str(RULES)))
    done = subprocess.run([promtool, "test", "rules", tests], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_configuration(tmp_path):
    promtool = needs("promtool", install="apt-get install prometheus")
    config = tmp_path / "prometheus.yml"
    config.write_text(
        (ROOT / "deploy/prometheus/prometheus.yml").read_text().replace("/etc/prometheus/rules.yml", str(RULES))
    )
    done = subprocess.run(
        [promtool, "check", "config", config], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
