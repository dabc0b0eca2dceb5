"""The demo's own registrar.yml and secrets."""

import stat
from pathlib import Path

from registrar.demo.config import Place
from registrar.policy import load


def written(data: Path, port: int = 8000) -> Path:
    place = Place.inside(data)
    place.secrets()
    place.write_config(chat_port=port, team_chat_url="http://127.0.0.1:8000/team-chat/x", deploy_url="http://d")
    return place.config


def test_the_template_is_a_valid_policy(tmp_path: Path) -> None:
    policy = load(written(tmp_path / "with: a 'strange\" name"))
    assert policy.sources["slack"].reply_to == ["127.0.0.1:8000"]
    assert [str(gate) for gate in policy.model("nyc-taxi-regressor").targets[0].gates] == ["rmse < 7"]


def test_secrets_are_the_same_on_the_next_run(tmp_path: Path) -> None:
    assert Place.inside(tmp_path).secrets() == Place.inside(tmp_path).secrets()


def test_secrets_are_their_owners_alone(tmp_path: Path) -> None:
    written(tmp_path)
    folder = tmp_path / "demo" / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_no_secret_stands_in_the_policy_or_a_repr(tmp_path: Path) -> None:
    text = written(tmp_path).read_text()
    kept = Place.inside(tmp_path).secrets()
    for secret in (kept.ci, kept.slack, kept.deploy, kept.chat):
        assert secret not in text
        assert secret not in repr(kept)


def test_the_port_is_kept(tmp_path: Path) -> None:
    assert Place.inside(tmp_path).port == 0
    written(tmp_path, port=8123)
    assert Place.inside(tmp_path).port == 8123
