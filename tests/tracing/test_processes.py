"""The real receiver, whose processes are forked of one that has loaded it: what sends traces must live in each."""

import json
import time
from contextlib import closing
from pathlib import Path

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from tests.tracing.collector import collector
from tests.webhooks.conftest import finished, signed
from tests.webhooks.test_gunicorn import Server, port_of, start


def test_each_of_its_processes_sends_its_traces(tmp_path: Path):
    with collector() as heard, closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        migrate(ledger)
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": heard.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        process = start(tmp_path, **told)
        server = Server(port_of(process), process, ledger)
        try:
            for number in range(20):  # by one process or the other
                body = json.dumps(finished(run_id=f"traced{number}")).encode()
                assert server.post(body, signed(body))[0] == 202
            for _ in range(150):
                if len(heard.named("webhook ci")) == 20:
                    break
                time.sleep(0.1)
            assert len({span.attributes["registrar.event"] for span in heard.named("webhook ci")}) == 20
        finally:
            process.terminate()
            assert process.wait(30) == 0
