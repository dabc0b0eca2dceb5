"""The chat grammar: what is understood, and what is said to what is not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registrar.events.left_out import LEFT_OUT, STEP_BACK
from registrar.text import markdown
from webhooks.chat.commands import COMMANDS
from webhooks.chat.parser import parse
from webhooks.ingress.errors import InvalidEvent

TASK = f"tsk_{'0' * 32}"


@pytest.mark.parametrize(
    ("text", "type_", "said"),
    [
        ("experiments", "registry.query", {"question": "experiments"}),
        ("runs taxi", "registry.query", {"question": "runs", "experiment": "taxi", "filter_string": ""}),
        (
            "runs taxi metrics.rmse < 7 and params.m = 'a b'",
            "registry.query",
            {"experiment": "taxi", "filter_string": "metrics.rmse < 7 and params.m = 'a b'"},
        ),
        ('runs "nyc taxi" metrics.rmse < 7', "registry.query", {"experiment": "nyc taxi"}),
        ("runs \u201cnyc taxi\u201d", "registry.query", {"experiment": "nyc taxi"}),
        ("runs \u00abnyc taxi\u00bb", "registry.query", {"experiment": "nyc taxi"}),
        (
            "runs 'nyc taxi' params.m = 'a b'",
            "registry.query",
            {"experiment": "nyc taxi", "filter_string": "params.m = 'a b'"},
        ),
        ("approve \u2018nyc taxi\u2019 V3", "promotion.approve", {"model": "nyc taxi", "version": 3}),
        ("\u200bapprove\u00a0taxi\u2003\u2066 3\u2069\ufeff", "promotion.approve", {"model": "taxi", "version": 3}),
        ("reject taxi 3 'tis too high", "promotion.reject", {"reason": "'tis too high"}),
        (
            "reject taxi 3 it\u2019s \U0001f468\u200d\U0001f469",
            "promotion.reject",
            {"reason": "it's \U0001f468\u200d\U0001f469"},
        ),
        (
            "runs `nyc taxi` metrics.`a b` < 7",
            "registry.query",
            {"experiment": "nyc taxi", "filter_string": "metrics.`a b` < 7"},
        ),
        ("MODELS", "registry.query", {"question": "models"}),
        ("rollback taxi wrong fares", "model.rollback", {"target": "Production", "reason": "wrong fares"}),
        ("rollback taxi staging too slow", "model.rollback", {"target": "Staging", "reason": "too slow"}),
        ("rollback taxi to 2 wrong fares", "model.rollback", {"to": 2, "reason": "wrong fares"}),
        ("rollback taxi staging to v2 slow", "model.rollback", {"to": 2, "target": "Staging", "reason": "slow"}),
        ("rollback taxi to staging too slow", "model.rollback", {"target": "Staging", "reason": "too slow"}),
        ("rollback taxi product prices are off", "model.rollback", {"reason": "product prices are off"}),
        ("rollback taxi staging prod is next", "model.rollback", {"target": "Staging", "reason": "prod is next"}),
        ("rollback taxi to be safe", "model.rollback", {"to": None, "target": "Production", "reason": "to be safe"}),
        ("  versions   taxi  ", "registry.query", {"question": "versions", "model": "taxi"}),
        ("history taxi", "registry.query", {"question": "history", "model": "taxi"}),
        ("approve taxi 3 to staging", "promotion.approve", {"version": 3, "target": "Staging", "reason": None}),
        ("approve taxi 3 for staging", "promotion.approve", {"target": "Staging", "reason": None}),
        ("approve taxi 3 --to staging", "promotion.approve", {"target": "Staging", "reason": None}),
        ("approve taxi 3 for now", "promotion.approve", {"target": "Production", "reason": "for now"}),
        ("promote taxi 3 to staging as asked", "promotion.request", {"target": "Staging", "reason": "as asked"}),
        ("reject taxi 3 to be safe", "promotion.reject", {"target": "Production", "reason": "to be safe"}),
        ("transition taxi 3 to archived", "model_version.transition", {"stage": "Archived"}),
        (
            "demote taxi 3 staging was better",
            "model_version.transition",
            {"version": 3, "reason": "staging was better"},
        ),
        ("archive-old taxi 90d", "model.archive", {"model": "taxi", "older_than": "90d", "keep": 1, "reason": None}),
        ("archive-old taxi 90d keep 5 disk", "model.archive", {"older_than": "90d", "keep": 5, "reason": "disk"}),
        (
            "plan archive-old taxi 90d keep 5",
            "registry.query",
            {"question": "plan_archive", "model": "taxi", "older_than": "90d", "keep": 5},
        ),
        ("plan taxi 3", "registry.query", {"question": "plan", "model": "taxi", "version": 3, "target": "Production"}),
        ("plan taxi v3 staging", "registry.query", {"question": "plan", "version": 3, "target": "Staging"}),
        ("plan prune taxi", "registry.query", {"question": "plan_prune", "model": "taxi", "version": None}),
        ('plan "prune" 3', "registry.query", {"question": "plan", "model": "prune", "version": 3}),
        ("prune taxi", "model.prune", {"model": "taxi", "reason": None}),
        ("prune taxi the disk is full", "model.prune", {"reason": "the disk is full"}),
        ("dead", "registry.query", {"question": "dead", "model": None}),
        ("dead taxi", "registry.query", {"question": "dead", "model": "taxi"}),
        (f"retry taxi {TASK}", "task.retry", {"model": "taxi", "task_id": TASK, "reason": None}),
        (f"retry taxi {TASK} MLflow is back", "task.retry", {"reason": "MLflow is back"}),
        ("request taxi 3", "promotion.request", {"model": "taxi", "version": 3, "target": "Production"}),
        ("request taxi v3 staging looks good", "promotion.request", {"target": "Staging", "reason": "looks good"}),
        ("approve taxi 3", "promotion.approve", {"version": 3, "target": "Production", "reason": None}),
        ("approve taxi 3 Staging", "promotion.approve", {"target": "Staging", "promotion": None}),
        ("reject taxi 3 rmse is too high", "promotion.reject", {"target": "Production", "reason": "rmse is too high"}),
        ("promote taxi 3", "promotion.request", {"model": "taxi", "version": 3, "target": "Production"}),
        ("promote taxi v3 staging looks good", "promotion.request", {"target": "Staging", "reason": "looks good"}),
        ("promote taxi", "promotion.request", {"model": "taxi", "version": LEFT_OUT, "target": "Production"}),
        ("approve taxi", "promotion.approve", {"model": "taxi", "version": LEFT_OUT, "reason": None}),
        (
            "approve taxi staging fine",
            "promotion.approve",
            {"version": LEFT_OUT, "target": "Staging", "reason": "fine"},
        ),
        ("reject taxi rmse is 8.1", "promotion.reject", {"version": LEFT_OUT, "reason": "rmse is 8.1"}),
        ("plan taxi", "registry.query", {"question": "plan", "version": LEFT_OUT, "target": "Production"}),
        ("fetch taxi", "registry.query", {"question": "fetch", "version": LEFT_OUT}),
        ("fetch taxi 3", "registry.query", {"question": "fetch", "version": 3}),
        ("transition taxi 3 none it is bad", "model_version.transition", {"stage": "None", "reason": "it is bad"}),
        (
            "demote taxi 3 it is bad",
            "model_version.transition",
            {"version": 3, "stage": STEP_BACK, "reason": "it is bad"},
        ),
        ("demote taxi", "model_version.transition", {"version": LEFT_OUT, "stage": STEP_BACK}),
        ("archive taxi 3", "model_version.archive", {"version": 3, "reason": None}),
        ("describe taxi 3 fares by night", "model_version.describe", {"version": 3, "description": "fares by night"}),
        ("describe taxi fares by night", "model_version.describe", {"version": LEFT_OUT, "tags": {}}),
        (
            "tag taxi 3 a=b c='d e' f=\u201cg h\u201d",
            "model_version.describe",
            {"tags": {"a": "b", "c": "d e", "f": "g h"}},
        ),
        ("tag taxi a=b", "model_version.describe", {"version": LEFT_OUT, "description": None, "tags": {"a": "b"}}),
        ("register taxi r1", "model_version.register", {"model": "taxi", "run_id": "r1", "search": None}),
    ],
)
def test_what_is_understood(text, type_, said):
    data = parse(text).data
    assert data is not None
    assert data.type == type_
    assert {key: getattr(data, key) for key in said} == said


def test_the_best_run_is_registered_by_a_search():
    data = parse("register taxi best 'nyc taxi' metrics.rmse < 7 order by metrics.rmse ASC, start_time DESC").data
    assert data
    assert data.search.model_dump(include={"experiment", "filter_string", "order_by"}) == {
        "experiment": "nyc taxi",
        "filter_string": "metrics.rmse < 7",
        "order_by": ["metrics.rmse ASC", "start_time DESC"],
    }


@pytest.mark.parametrize("granted", [True, False])
def test_the_whole_help_fits_into_a_message_of_discord(granted: bool):
    assert len(markdown.escape(parse("help", granted=lambda type_: granted).text, most=4000)) <= 1900


def test_help_lists_what_the_source_is_granted():
    text = parse("help", granted=lambda type_: type_ == "registry.query").text
    assert "/registry versions MODEL" in text
    assert "approve" not in text
    nothing = parse("help", granted=lambda type_: False).text
    assert nothing.startswith("registrar.yml grants none of these here yet")
    assert "/registry approve MODEL" in nothing


PAIRS = ['""', "''", "``", "\u201c\u201d", "\u201e\u201c", "\u00ab\u00bb", "\u2018\u2019", "\uff02\uff02"]
BLANKS = st.text(st.sampled_from(" \t\n\u00a0\u2003\u200b\u200e\ufeff"), max_size=3).map(lambda made: f" {made}")
NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["C", "Zl", "Zp"], exclude_characters="/:\\\ufffd" + "".join(PAIRS)
    ),
    min_size=1,
    max_size=40,
).filter(lambda made: made.strip() and made not in (".", "..") and not set(made) & set("\u2033\u201f\u201a\u201b"))


@given(name=NAMES, pair=st.sampled_from(PAIRS), blanks=st.tuples(BLANKS, BLANKS, BLANKS), version=st.integers(1, 999))
def test_a_name_means_the_same_in_whatever_quotes_and_blanks(
    name: str, pair: str, blanks: tuple[str, str, str], version
):
    first, second, third = blanks
    data = parse(f"{first}approve{second}{pair[0]}{name}{pair[1]}{third}{version}").data
    assert data
    assert (data.model, data.version, data.target, data.reason) == (name, version, "Production", None)


@pytest.mark.parametrize("text", ["", "  ", "help", "HELP me"])
def test_help_lists_every_command_and_does_nothing(text):
    understood = parse(text, command="/mlops")
    assert understood.data is None
    assert all(f"/mlops {command.usage}" in understood.text for command in COMMANDS.values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("promot taxi 3", "promot is no command; did you mean promote?; /registry help"),
        ("wibble taxi 3", "wibble is no command; /registry help"),
        ("versions", "versions needs a model. Use: /registry versions MODEL"),
        ("runs", "runs needs an experiment. Use: /registry runs EXPERIMENT"),
        ("versions taxi 3", "unexpected: 3. Use: /registry versions MODEL"),
        ("models all", "unexpected: all"),
        ("rollback taxi", "reason is missing. Use: /registry rollback MODEL [STAGE] [to VERSION] reason"),
        ("rollback taxi production", "reason is missing"),
        ("plan", "plan needs a model. Use: /registry plan MODEL [VERSION] [STAGE] | plan prune MODEL"),
        ("plan prune", "plan prune needs a model"),
        ("plan prune taxi 3", "unexpected: 3"),
        ("plan taxi 3 staging please", "unexpected: please"),
        ("retry taxi", "task is missing. Use: /registry retry MODEL TASK [reason]"),
        ("dead taxi 3", "unexpected: 3. Use: /registry dead [MODEL]"),
        ("prune", "model is missing. Use: /registry prune MODEL [reason]"),
        ("approve", "model is missing; version is missing. Use: /registry approve MODEL [VERSION] [STAGE]"),
        ("approve taxi latest", "latest is no version; a version is a whole number such as 3"),
        ("approve taxi v3.1", "v3.1 is no version"),
        ("approve taxi #3", "#3 is no version"),
        ("approve nyc taxi 3", "if 3 is the version, it goes right behind the model, whose name goes in quotes"),
        ("approve taxi staging 3", "if 3 is the version"),
        ("approve taxi Prodution", "Prodution is no stage; did you mean Production?"),
        ("breakglass taxi it burns", "version is missing. Use: /registry breakglass MODEL VERSION"),
        ("archive taxi", "version is missing. Use: /registry archive MODEL VERSION [reason]"),
        ("archive taxi old one", "version is missing"),
        ("approve taxi 3 to prod", "prod is no stage; did you mean Production?"),
        ("promote taxi to stagng", "stagng is no stage; did you mean Staging?"),
        ("demote taxi from production", "demote takes no stage: name the version that leaves Production"),
        ("rollback taxi to v3, it is bad", "v3, is no version to go back to; write: to 3"),
        ("rollback taxi to version 3 bad", "version is no version to go back to; write: to 3"),
        ("rollback taxi to latest good", "latest is no version to go back to"),
        ("rollback taxi 3 bad", "3 is no version to go back to; write: to 3"),
        ("rollback taxi staging 3 bad", "3 is no version to go back to; write: to 3"),
        ("demote taxi production", "demote takes no stage: name the version that leaves Production"),
        ("archive-old taxi", "age is missing. Use: /registry archive-old MODEL AGE [keep N] [reason]"),
        ("archive-old taxi 90d keep", "keep is no whole number"),
        ("archive-old taxi 90d keep all", "keep"),
        ("archive-old taxi ninety", "age"),
        ("plan archive-old taxi 90d please", "unexpected: please"),
        ("transition taxi 3", "stage is missing. Use: /registry transition MODEL [VERSION] STAGE [reason]"),
        ("transition taxi 3 Stagin", "Stagin is no stage; did you mean Staging?"),
        ("describe taxi 3", "give a description, tags, or both"),
        ("tag taxi 3", "give a description, tags, or both"),
        ("tag taxi 3 note", "a tag is KEY=VALUE, not note"),
        ("tag taxi latest a=b", "a whole number such as 3"),
        ("tag taxi 3 a=b a=c", "the tag a is given twice"),
        ("tag taxi 3 registrar.by=me", "no event may set the tag registrar.by"),
        ("register taxi", "give exactly one of run_id and search"),
        ("register taxi best", "search.experiment is missing"),
        ("register taxi r1 please", "unexpected: please"),
        ("register taxi best exp metrics.rmse < 7", "say what is best: order by metrics.rmse ASC"),
        ("register taxi best exp metrics.rmse < order by metrics.rmse", "is not understood"),
        ("fetch", "fetch needs a model"),
        ("fetch taxi 3 please", "unexpected: please"),
        ("approve taxi 3 Prodution", "Prodution is no stage; did you mean Production?"),
        ("request taxi 3 stagng please", "did you mean Staging?"),
        ("approve taxi 3 prod", "prod is no stage; did you mean Production?"),
        ("rollback taxi Stagin too slow", "Stagin is no stage; did you mean Staging?"),
        ("rollback taxi stage too slow", "stage is no stage; did you mean Staging?"),
        ("rollback taxi to prodution too slow", "prodution is no stage; did you mean Production?"),
        ("rollback taxi prodution to 2 too slow", "prodution is no stage; did you mean Production?"),
        ("approve a/b 3", "model is no name for a model: it has 1 to 250 characters, no / or :"),
        ("x" * 5000, "is no command"),
        ("\u202e\x1b[31mroot", "root is no command"),
    ],
)
def test_wrong_use_is_told_the_right_one(text, sentence):
    with pytest.raises(InvalidEvent) as caught:
        parse(text)
    assert sentence in caught.value.detail
    assert caught.value.detail.isprintable()


def test_an_approval_is_answered_at_once_with_what_it_is_about():
    said = parse("approve nyc-taxi-regressor 3").text
    assert said == "On it: approving nyc-taxi-regressor version 3 for Production. The result will appear here."


def test_the_page_about_chat_has_every_command():
    page = (Path(__file__).parents[2] / "docs/how-to/chat/commands.md").read_text(encoding="utf-8")
    usages = [command.usage.replace("|", r"\|") for command in COMMANDS.values()]
    missing = [usage for usage in usages if f"| `{usage}` |" not in page]
    assert missing == []
