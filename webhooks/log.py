"""gunicorn's own lines as all others are (registrar/logs.py): what it says, and a line per request where asked for.

Off unless gunicorn is given --access-logfile. Never the query string: a sender may have put a secret there.
"""

from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger as Gunicorn

from registrar.logs import formatter
from registrar.settings import process_environment
from registrar.watching import Watching
from webhooks.clean import clean


class Logger(Gunicorn):  # type: ignore[misc]
    """logger_class = "webhooks.log.Logger"."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self._line_for_each = self.access_log_enabled  # gunicorn reads ten settings to find it out
        try:
            kind = Watching.read(process_environment()).log
        except ValueError:  # the application says what is wrong, and does not start
            return
        if kind == "json":
            for handler in (*self.error_log.handlers, *self.access_log.handlers):
                handler.setFormatter(formatter(kind))

    def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:
        if not self._line_for_each:
            return
        said = {
            "method": clean(req.method, length=16),
            "path": clean(req.path, length=200),
            "status": resp.status_code,
            "seconds": round(request_time.total_seconds(), 4),
            "bytes": resp.sent,
            "from": environ.get("REMOTE_ADDR", ""),
        }
        self.access_log.info("%(from)s %(method)s %(path)s %(status)s %(seconds)ss", said, extra={"about": said})
