"""The bench of the main job measures what it says: the script and Registrar leave the same behind in MLflow."""

from collections.abc import Iterator

import pytest

from registrar.policy.load import parse
from tests.bench import road
from tests.bench.load import LoadError
from tests.bench.options import Options

ONE = ("sqlite", 1)


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[tuple[str, int], road.Site]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(road, "MODELS", 3)
        with road.sites(Options(ledgers=["sqlite", "postgresql"])) as found:
            yield found


def test_the_policy_is_the_starters_with_its_gate():
    targets = parse(road.config()).models["*"].targets
    assert [(target.stage, target.alias, len(target.gates)) for target in targets] == [
        ("Staging", "challenger", 1),
        ("Production", "champion", 0),
    ]


@pytest.mark.parametrize(("who", "registry"), [("script", ONE), ("sqlite", ONE), ("postgresql", ("postgresql", 2))])
def test_both_bring_each_version_to_both_targets(sites: dict[tuple[str, int], road.Site], who: str, registry):
    figures = road.once(sites[registry], road.Case(who, 1, registry))
    assert all(figures[f"{leg}: {name}"] > 0 for leg in road.LEGS for name in ("events/s", "calls", "MLflow CPU ms"))
    assert (figures["to Staging: WAL KB"] > 0) == (who == "postgresql")
    site = sites[registry]
    model = f"{site.made[-1]}-0"
    versions = {one.version: one for one in site.mlflow.client.search_model_versions(f"name = '{model}'")}
    assert {number: one.current_stage for number, one in versions.items()} == {"1": "Archived", "2": "Production"}


def test_a_version_that_is_elsewhere_is_no_figure(sites: dict[tuple[str, int], road.Site]):
    site = sites[ONE]
    road.once(site, road.Case("script", 1, ONE))
    with pytest.raises(LoadError, match="version 2 has @champion and is in Production"):
        road._check(site, [f"{site.made[-1]}-0"], "Staging", "champion")
