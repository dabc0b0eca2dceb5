"""Each way for the configuration not to be usable has its line."""

import pytest

from tests.doctor.conftest import POLICY, SiteOf, looked, troubles


def test_a_good_one_has_no_trouble(site: SiteOf):
    assert troubles("config", site()) == []
    assert looked("config", site())[0].seen.endswith("registrar.yml is valid: 1 source, 1 channel")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 1\nsorces: {}", ":2: sorces: unknown key"),
        ("version: [", "not YAML"),
        (POLICY.replace("file:ci.whsec", "hunter2"), "a secret is named here, never written"),
    ],
)
def test_a_file_that_can_not_be_used_is_said(site: SiteOf, text: str, says: str):
    there = site()
    there.settings.config_path.write_text(text)
    [found, *_] = troubles("config", there)
    assert (found[0], says in found[1], "check-config" in found[2]) == ("FAIL", True, True)
    assert "hunter2" not in found[1]


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (POLICY.replace("kind: standard", "kind: standart"), "there is no kind 'standart'"),
        (POLICY.replace("kind: log", "kind: log, options: {colour: red}"), "options"),
    ],
)
def test_what_does_not_fit_what_is_installed_is_said_with_its_line(site: SiteOf, policy: str, says: str):
    [(level, seen, _)] = troubles("config", site(policy))
    assert (level, says in seen, "registrar.yml:" in seen) == ("FAIL", True, True)


def test_a_key_that_is_none_is_said(site: SiteOf):
    [(level, seen, _)] = troubles("config", site(REGISTRAR_SECRET_KEY="hunter2-hunter2"))
    assert (level, "`registrar secret` makes one" in seen, "hunter2" in seen) == ("FAIL", True, False)


def test_a_policy_without_sources_is_said(site: SiteOf):
    assert [level for level, *_ in troubles("config", site("version: 1"))] == ["warn"]
