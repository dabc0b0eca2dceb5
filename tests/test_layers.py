"""The packages import in one direction: the top floor of registrar > webhooks | worker > the core of registrar."""

import pkgutil
import tomllib
from pathlib import Path

import grimp
import pytest

import registrar

ROOT = Path(__file__).parent.parent
TOP = {f"registrar.{name}" for name in ("__main__", "cli", "demo", "doctor", "local")}
MODULES = {f"registrar.{module.name}" for module in pkgutil.iter_modules(registrar.__path__)}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("registrar", "webhooks", "worker", cache_dir=None)


def imported(graph: grimp.ImportGraph, package: str) -> set[str]:
    """What the modules of a package import, as `registrar.cli` or `worker`."""
    modules = {package} | graph.find_descendants(package)
    found = {name for module in modules for name in graph.find_modules_directly_imported_by(module)}
    return {".".join(name.split(".")[: 2 if name.startswith("registrar.") else 1]) for name in found} - {package}


def test_the_contract_names_every_module_of_the_core_and_of_the_top_floor():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    top, both, core = ([name.strip() for name in layer.replace("|", ":").split(":")] for layer in layers)
    assert (set(top), set(both), set(core)) == (TOP, {"webhooks", "worker"}, MODULES - TOP)


@pytest.mark.parametrize("package", sorted(MODULES - TOP))
def test_the_core_imports_the_core_alone(graph: grimp.ImportGraph, package: str):
    assert imported(graph, package) <= MODULES - TOP


@pytest.mark.parametrize("package", ["webhooks", "worker"])
def test_webhooks_and_worker_import_the_core_alone(graph: grimp.ImportGraph, package: str):
    assert imported(graph, package) <= MODULES - TOP


def test_all_sql_is_in_the_ledger():
    graph = grimp.build_graph("registrar", "webhooks", "worker", include_external_packages=True, cache_dir=None)
    importers = graph.find_modules_that_directly_import("sqlalchemy")
    elsewhere = {name for name in importers if not f"{name}.".startswith("registrar.ledger.")}
    assert elsewhere == {"registrar.events.outcome"}  # the type of a parameter


def test_nothing_is_found_by_an_entry_point():
    assert "entry-points" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
