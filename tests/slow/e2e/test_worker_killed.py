"""A worker that is killed and a broker that is wiped, on `registrar up`."""

import os
import signal
import threading

import redis

from registrar.local import orphans
from registrar.local.data_folder import Folder
from tests.mlflow_server import train


def test_a_worker_killed_under_load_and_a_wiped_broker_lose_and_double_nothing(sender, stack, client, model):
    runs = [train(client, rmse=9.0) for _ in range(6)]
    answers = [sender.post("training_run.finished", model=f"{model}-{n % 3}", run_id=run) for n, run in enumerate(runs)]
    killed = next(entry.pid for entry in orphans.read_pids(Folder(stack.data).pids) if entry.name == "worker")
    threading.Timer(0.3, os.kill, (killed, signal.SIGKILL)).start()
    redis.Redis.from_url(stack.settings.broker_url).flushall()
    assert [sender.ended(answer)["state"] for answer in answers] == ["succeeded"] * 6
    registered = [v.run_id for n in range(3) for v in client.search_model_versions(f"name = '{model}-{n}'")]
    assert sorted(registered) == sorted(runs)
