"""The real receiver, whose processes are forked of one that has loaded it: what sends traces must live in each."""

import time
from pathlib import Path

from tests.telemetry.tracing.collector import collector
from tests.webhooks.serving import serving


def test_each_of_its_processes_sends_its_traces(tmp_path: Path):
    with collector() as heard:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": heard.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with serving(tmp_path, workers=2, **told) as server:
            for number in range(20):  # by one process or the other
                assert server.deliver(f"traced{number}") == 202
            for _ in range(150):
                if len(heard.named("webhook ci")) == 20:
                    break
                time.sleep(0.1)
            assert len({span.attributes["registrar.event"] for span in heard.named("webhook ci")}) == 20
            server.process.terminate()
            assert server.process.wait(30) == 0


def test_a_term_sends_the_traces_that_wait(tmp_path: Path):
    with collector() as heard:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": heard.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        with serving(tmp_path, **told) as server:
            assert server.deliver("traced") == 202
            assert heard.named("webhook ci") == []
            server.process.terminate()
            assert server.process.wait(30) == 0
        assert len(heard.named("webhook ci")) == 1
