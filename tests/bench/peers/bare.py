"""A route that accepts everything and does nothing: what Flask and the server themselves cost."""

import flask


def create_app() -> flask.Flask:
    app = flask.Flask("bare")

    @app.post("/webhooks/ci")
    def receive() -> tuple[dict[str, str], int]:
        return {"status": "accepted"}, 202

    return app
