"""deploy/make-secrets: makes what is missing, never touches what is there."""

import subprocess
from pathlib import Path

import pytest

from registrar.config.encryption import Encryptor
from registrar.http.signing import standard_webhooks
from registrar.ledger.engine import now
from tests.deploy.composefile import ROOT


def make(folder: Path) -> str:
    command = [ROOT / "deploy/make-secrets", folder]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "secrets")
    return tmp_path / "secrets"


def test_a_second_time_nothing_changes(folder: Path) -> None:
    before = contents(folder)
    assert "nothing was changed" in make(folder)
    assert contents(folder) == before


def test_a_missing_one_is_made_to_fit_the_others(folder: Path) -> None:
    before = contents(folder)
    for name in ("ledger_url", "broker_url", "mlflow_pgservice"):
        (folder / name).unlink()
    make(folder)
    assert contents(folder) == before


def test_two_installations_share_nothing(folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "others")
    others = contents(tmp_path / "others")
    assert [name for name, value in contents(folder).items() if others[name] == value] == [".gitignore"]


def test_nobody_else_on_the_machine_gets_in_and_git_looks_away(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"


def test_containers_of_any_user_may_read_and_none_may_write(folder: Path) -> None:
    """Compose mounts the files as they are: at 0600 the users of the containers could not read them."""
    assert {path.stat().st_mode & 0o777 for path in folder.glob("[a-z]*")} == {0o444}


def test_no_secret_is_printed(tmp_path: Path) -> None:
    said = make(tmp_path)
    assert not [name for name, value in contents(tmp_path).items() if name[0] != "." and value.split()[-1] in said]
    assert "ci_whsec" in said


def test_the_keys_are_of_the_right_make(folder: Path) -> None:
    made = {name: value.strip() for name, value in contents(folder).items()}
    Encryptor(made["registrar_key"])
    Encryptor(made["mlflow_webhook_key"])
    standard_webhooks(made["ci_whsec"], id="msg_1", timestamp=now(), body=b"{}")
    assert made["ledger_password"] in made["ledger_url"]
    assert made["redis_conf"].split()[1] in made["broker_url"]
    assert made["mlflow_password"] in made["mlflow_pgservice"]
