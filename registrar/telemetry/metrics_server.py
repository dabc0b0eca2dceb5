"""Serve a process's metrics to Prometheus at an address of its own, without a login."""

import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Seconds until a taken address is tried again: a reloaded process waits for its predecessor.
TAKEN = 5.0


class MetricsServer:
    """Serve GET /metrics in threads. A taken address is tried again, and fails nothing."""

    def __init__(self, at: tuple[str, int], text: Callable[[], bytes]) -> None:
        self._at = at
        self._text = text
        self._stopped = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    def start(self) -> None:
        """Start serving. Returns at once. Ends with the process, or with the block of a context manager."""
        self._thread.start()

    def __enter__(self) -> "MetricsServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Free the address."""
        self._stopped.set()
        if self._server:
            self._server.shutdown()

    def _serve(self) -> None:
        level = logging.WARNING  # only once: one of a receiver's processes has the address, the others wait for it
        while not self._stopped.is_set():
            try:
                with _server(self._at, self._text) as self._server:
                    log.info("metrics at http://%s:%d/metrics", *self._server.server_address[:2])
                    self._server.serve_forever()
                    return
            except OSError as error:
                log.log(level, "no metrics at %s:%d (%s); tried every %.0f s", *self._at, error.strerror, TAKEN)
                level = logging.DEBUG
                self._stopped.wait(TAKEN)


def _server(at: tuple[str, int], text: Callable[[], bytes]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if urlsplit(self.path).path != "/metrics":
                self.send_error(404)
                return
            body = text()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log no scrapes."""

    class Server(ThreadingHTTPServer):
        address_family = AF_INET6 if ":" in at[0] else AF_INET
        daemon_threads = True

    return Server(at, Handler)
