"""What the parts are told, and what is kept in the folder for whose eyes."""

import dataclasses
import socket
import stat
import sys
from pathlib import Path

import pytest

from registrar.config.settings import Settings, SettingsError, folder_environment, from_folder
from registrar.local import data_folder as folders
from registrar.local.data_folder import Folder, ensure_config
from registrar.local.installation import Installation, PortTaken, choose_ports, local_operator
from registrar.local.services import plan

PORTS = {"redis": 6400, "mlflow": 5001, "receiver": 8001}
KEY = "k" * 44


def site(data: Path, **more) -> Installation:
    folder = Folder(data)
    folder.prepare()
    return Installation(**({"folder": folder, "config": folder.config, "ports": PORTS, "secret_key": KEY} | more))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_parts_find_each_other_by_the_environment(tmp_path):
    settings = Settings.read(site(tmp_path).environ({}))
    assert settings.mlflow_uri == "http://127.0.0.1:5001"
    assert settings.broker_url == "redis://127.0.0.1:6400/0"
    assert settings.ledger_url == f"sqlite:///{tmp_path}/ledger.db"
    assert (settings.public_url, settings.local_url) == ("http://127.0.0.1:8001", "http://127.0.0.1:8001")
    assert (settings.config_path, settings.secret_key) == (tmp_path / "registrar.yml", KEY)


def test_the_receiver_has_its_local_address_whatever_the_world_calls_it(tmp_path):
    settings = Settings.read(site(tmp_path, public_url="https://registrar.example.com").environ({}))
    assert (settings.public_url, settings.local_url) == ("https://registrar.example.com", "http://127.0.0.1:8001")


def test_another_mlflows_address_and_credentials_reach_no_part(tmp_path):
    another = {f"MLFLOW_{name}": "elsewhere" for name in ("REGISTRY_URI", "TRACKING_URI", "TRACKING_TOKEN")}
    environ = site(tmp_path).environ(another | {"PATH": "/bin", "MLFLOW_SOURCE_SECRET": "of registrar.yml"})
    assert "elsewhere" not in {value for name, value in environ.items() if name != "MLFLOW_TRACKING_URI"}
    assert environ["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5001"
    assert (environ["PATH"], environ["MLFLOW_SOURCE_SECRET"]) == ("/bin", "of registrar.yml")


def test_a_server_of_ones_own_is_used_with_its_credentials(tmp_path):
    there = site(tmp_path, mlflow="http://mlflow:5000", ports={"redis": 1, "receiver": 2})
    environ = there.environ({"MLFLOW_TRACKING_TOKEN": "t"})
    assert (environ["MLFLOW_TRACKING_URI"], environ["MLFLOW_TRACKING_TOKEN"]) == ("http://mlflow:5000", "t")
    assert [part.name for part in plan(there)] == ["redis", "migrate", "receiver", "worker", "beat"]


def test_whoever_sits_at_this_machine_acts_as_somebody_of_the_policy(tmp_path):
    assert Settings.read(site(tmp_path).environ({})).local_operator is None
    assert Settings.read(site(tmp_path, operator="ada").environ({})).local_operator == "ada"


def test_the_first_policys_operator_is_that_somebody(tmp_path):
    folder = site(tmp_path).folder
    config = ensure_config(folder, print)
    assert local_operator(config, {}) == "source:operator"
    assert local_operator(config, {"REGISTRAR_LOCAL_OPERATOR": "you"}) == "you"
    config.write_text("version: 1\n")
    assert local_operator(config, {}) is None
    config.write_text("version: 2\n")
    assert local_operator(config, {}) is None


def test_a_secret_file_of_the_outer_environment_does_not_win_over_ours(tmp_path):
    assert "REGISTRAR_LEDGER_URL_FILE" not in site(tmp_path).environ({"REGISTRAR_LEDGER_URL_FILE": "/run/secrets/x"})


def test_the_parts_start_with_the_command_lines_of_the_compose_file(tmp_path):
    commands = {part.name: part.command for part in plan(site(tmp_path))}
    assert list(commands) == ["redis", "mlflow", "migrate", "receiver", "worker", "beat"]
    assert commands["worker"] == (sys.executable, "-m", "worker", "run")
    assert commands["beat"] == (sys.executable, "-m", "worker", "beat")
    assert commands["receiver"][1:] == ("-m", "webhooks.serve", "--host", "127.0.0.1", "--port", "8001")


def test_with_a_broker_of_ones_own_no_redis_is_started_and_the_parts_find_the_other(tmp_path):
    theirs = dataclasses.replace(site(tmp_path), broker="amqp://user:pw@rabbitmq//")
    planned = {part.name: part for part in plan(theirs)}
    assert "redis" not in planned
    assert "pw" not in repr(theirs)
    assert planned["worker"].needs == planned["receiver"].needs == planned["beat"].needs == ("migrate",)
    assert theirs.environment["REGISTRAR_BROKER_URL"] == "amqp://user:pw@rabbitmq//"


def test_no_secret_is_on_a_command_line_or_in_a_repr(tmp_path):
    there = site(tmp_path)
    parts = plan(there)
    secrets = [KEY, there.folder.secret("mlflow-webhooks.key", str)]
    assert not [secret for secret in secrets if secret in repr(parts) + repr(there)]


def test_secrets_are_for_their_owner_only(tmp_path):
    there = site(tmp_path / "data")
    ensure_config(there.folder, print)
    there.folder.write_environment(there.environment)
    assert mode(tmp_path / "data") == 0o700
    assert mode(tmp_path / "data" / "secrets") == 0o700
    assert mode(tmp_path / "data" / "secrets" / "ci.whsec") == 0o600
    assert mode(tmp_path / "data" / "environment") == 0o600
    assert (tmp_path / "data" / ".gitignore").read_text() == "*\n"


def test_a_secret_is_made_once(tmp_path):
    folder = site(tmp_path).folder
    assert folder.secret("key", lambda: "first") == folder.secret("key", lambda: "second") == "first"


def test_the_environment_survives_the_way_through_its_file(tmp_path):
    values = {"REGISTRAR_CONFIG": "/with space/o'clock/registrar.yml", "REGISTRAR_SECRET_KEY": "a=b#c"}
    site(tmp_path).folder.write_environment(values)
    assert folder_environment(tmp_path) == values


def test_other_terminals_find_the_parts_by_the_folder(tmp_path, monkeypatch):
    there = site(tmp_path)
    there.folder.write_environment(there.environment)
    assert from_folder(tmp_path).ledger_url == there.addresses.ledger_url
    monkeypatch.setenv("REGISTRAR_LEDGER_URL", "sqlite:///other.db")
    assert from_folder(tmp_path).ledger_url == "sqlite:///other.db"


def test_a_folder_that_up_never_ran_in_says_so(tmp_path):
    with pytest.raises(SettingsError, match=r"^there is no installation here: no .*/environment, which `registrar up`"):
        from_folder(tmp_path)


def test_who_has_set_some_is_told_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("REGISTRAR_BROKER_URL", "redis://redis:6379/0")
    with pytest.raises(SettingsError, match=r"(?s)^missing in the environment: REGISTRAR_CONFIG .*`registrar up`"):
        from_folder(tmp_path)


def test_a_starter_policy_is_written_once_and_then_ones_own(tmp_path):
    said: list[str] = []
    path = ensure_config(site(tmp_path).folder, said.append)
    path.write_text("version: 1\n")
    assert ensure_config(Folder(tmp_path), said.append).read_text() == "version: 1\n"
    assert said == [f"wrote a first policy, with comments: {path}"]


def test_a_starter_policy_moves_with_its_folder(tmp_path):
    there = site(tmp_path / "before")
    ensure_config(there.folder, print)
    there.folder.path.rename(tmp_path / "after")
    settings = Settings.read(site(tmp_path / "after").environ({}))
    assert settings.secret("file:secrets/ci.whsec").startswith("whsec_")


def test_a_port_in_use_gives_way_to_a_free_one(tmp_path):
    path = tmp_path / "ports.json"
    first = choose_ports(["redis"], path, fixed={})
    with socket.create_server(("127.0.0.1", first["redis"])):
        assert choose_ports(["redis"], path, fixed={}) != first


def test_a_port_given_by_hand_that_is_taken_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} for the receiver can't be used: Address already in use"):
            choose_ports(["receiver"], tmp_path / "ports.json", fixed={"receiver": port})


@pytest.mark.parametrize("content", ["", "[]", '{"redis": "x"}', '{"redis": 99999}'])
def test_a_damaged_memory_of_ports_is_no_hindrance(tmp_path, content):
    (tmp_path / "ports.json").write_text(content)
    assert choose_ports(["redis"], tmp_path / "ports.json", fixed={})["redis"] > 0


def test_private_files_are_never_readable_by_others_even_for_a_moment(tmp_path, monkeypatch):
    modes: list[int] = []
    replace = Path.replace
    monkeypatch.setattr(folders.Path, "replace", lambda new, to: (modes.append(mode(new)), replace(new, to))[1])
    site(tmp_path).folder.secret("key", lambda: "value")
    assert modes == [0o600]
