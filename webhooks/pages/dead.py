"""/dead: work that failed for good. /dead/TASK: its story; retry and drop."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from registrar.ledger.dead import letters
from registrar.ledger.story import story
from webhooks.clean import clean
from webhooks.errors import NotFound
from webhooks.pages.house import House, readable

MOST = 100


def register(pages: Blueprint, house: House) -> None:
    @pages.get("/dead", endpoint="dead")
    def all_letters() -> str:
        guest, model = house.guest(), clean(request.args.get("model", "").strip())
        with house.ledger.read() as connection:
            found = letters(connection, model=model or None, limit=MOST)
        return house.page("dead.html", guest, found=found, model=model, most=MOST)

    @pages.get("/dead/<task_id>")
    def dead_letter(task_id: str) -> str:
        guest = house.guest()
        return house.page("letter.html", guest, found=_story(house, task_id))

    @pages.post("/dead/<task_id>/retry")
    def retry(task_id: str) -> Response:
        return _settle(house, "task.retry", task_id)

    @pages.post("/dead/<task_id>/drop")
    def drop(task_id: str) -> Response:
        return _settle(house, "task.drop", task_id)


def _settle(house: House, type_: str, task_id: str) -> Response:
    """The command names the model, as what a grant is judged by."""
    house.guest("operator")
    found = _story(house, task_id)
    data = {"task_id": task_id, "model": found["model"], "reason": request.form.get("reason", "").strip()}
    return house.do(type_, data, then=url_for("pages.dead_letter", task_id=task_id))


def _story(house: House, task_id: str) -> dict[str, Any]:
    """Raises NotFound."""
    with house.ledger.read() as connection:
        found = story(connection, task_id) if readable(task_id) else None
    if found is None:
        raise NotFound(f"there is no task {clean(task_id)}")
    return found
