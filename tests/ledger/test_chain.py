"""The chain by itself: what is an entry, which one follows which, and what is said of any other."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from registrar.ledger.journal.append import BODY_COLUMNS, COLUMNS, GENESIS, canonical, iso, link
from registrar.ledger.journal.chain import ChainVerifier, Damaged, Head
from registrar.ledger.journal.export import LINES

Entry = dict[str, Any]


def entry(seq: int, previous: str = GENESIS, body: str | None = None, **changed: Any) -> Entry:
    told = {**dict.fromkeys(BODY_COLUMNS, "x"), "seq": seq, "version": None, **changed}
    body = canonical({**told, "said": {"nth": seq}}) if body is None else body
    return {**told, "body": body, "previous": previous, "hash": link(previous, body)}


def chain(count: int) -> list[Entry]:
    entries: list[Entry] = []
    for seq in range(1, count + 1):
        entries.append(entry(seq, entries[-1]["hash"] if entries else GENESIS))
    return entries


def walked(*entries: Entry, **how: Any) -> ChainVerifier:
    walk = ChainVerifier(entries, **how)
    assert [said["said"] for said in walk] == [{"nth": each["seq"]} for each in entries]
    return walk


def damage(*entries: Any, **how: Any) -> str:
    with pytest.raises(Damaged) as caught:
        list(ChainVerifier(entries, **how))
    return str(caught.value)


def test_a_chain_is_as_long_as_it_is_and_ends_with_its_last_entry():
    entries = chain(3)
    walk = walked(*entries)
    assert (walk.count, walk.head) == (3, Head(3, entries[2]["hash"]))
    assert (walked().count, walked().head) == (0, Head(0, GENESIS))


@pytest.mark.parametrize(
    ("seqs", "says"),
    [
        ([1, 3], "entry 2 is missing"),
        ([1, 4], "entries 2 to 3 are missing"),
        ([1, 5], "entries 2 to 4 are missing"),
        ([2], "entry 1 is missing"),
    ],
)
def test_what_is_missing_is_named_unless_it_was_left_out_on_purpose(seqs: list[int], says: str):
    entries = [chain(5)[seq - 1] for seq in seqs]
    assert damage(*entries) == says
    assert walked(*entries, part=True).count == len(seqs)


def test_in_a_part_too_an_entry_follows_the_one_before_it():
    entries = chain(3)
    alien = entry(3, "f" * 64)
    assert walked(entries[0], alien, part=True).count == 2
    says = "entry 3 does not follow entry 2: it was written after another one"
    assert damage(entries[0], entries[1], alien, part=True) == says


@pytest.mark.parametrize("seq", [0, -1, 1, True, "2", None, 2.0])
def test_a_number_that_can_not_come_next_is_shown(seq: Any):
    assert damage(chain(1)[0], {**chain(2)[1], "seq": seq}) == f"after entry 1 comes {seq!r}"


@pytest.mark.parametrize("other", [{}, {"seq": 2}, {**chain(2)[1], "more": 1}])
def test_what_has_not_the_columns_of_an_entry_is_none(other: Entry):
    assert damage(chain(1)[0], other).startswith("what comes after entry 1 is no entry")


@pytest.mark.parametrize("name", ["body", "previous", "hash"])
def test_what_the_chain_is_made_of_is_text(name: str):
    assert damage({**chain(1)[0], name: 7}) == "entry 1 is no text"


@pytest.mark.parametrize("error", [ValueError, TypeError])
def test_what_can_not_be_read_is_said_to_come_after_what_could(error: type[Exception]):
    def broken() -> Iterator[Entry]:
        yield chain(1)[0]
        raise error("no time")

    with pytest.raises(Damaged, match="what comes after entry 1 can't be read: no time"):
        list(ChainVerifier(broken()))


@pytest.mark.parametrize("changed", [{"body": "{}"}, {"hash": "0" * 64}, {"body": "\ud800"}])
def test_an_entry_whose_hash_is_not_that_of_its_text_was_altered(changed: Entry):
    assert damage({**chain(1)[0], **changed}) == "entry 1 was altered: its hash is not that of its text"


@pytest.mark.parametrize("name", [name for name in BODY_COLUMNS if name != "seq"])
def test_a_column_that_says_otherwise_than_the_text_is_named(name: str):
    altered = {**chain(1)[0], name: "y"}
    says = json.loads(altered["body"])[name]
    assert damage(altered) == f"entry 1 was altered: its column {name} says 'y', its text {says!r}"


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", "7", '"text"'])
def test_a_text_that_is_none_of_an_entry_is_said_though_its_hash_is_right(body: str):
    assert damage(entry(1, body=body)) == "entry 1 is no text of an entry, though its hash is right"


@pytest.mark.parametrize("said", [{}, {"said": None}, {"said": ["nth"]}])
def test_an_entry_that_says_nothing_is_said_though_its_hash_is_right(said: Entry):
    told = {name: value for name, value in chain(1)[0].items() if name in BODY_COLUMNS}
    assert damage(entry(1, body=canonical({**told, **said}))) == "entry 1 says nothing, though its hash is right"


def test_a_head_that_was_noted_must_be_there_and_be_the_same():
    entries = chain(3)
    heads = [Head(each["seq"], each["hash"]) for each in entries]
    assert walked(*entries, expect=heads).count == 3
    other = "f" * 64
    assert damage(*entries, expect=[Head(2, other)]) == (
        f"entry 2 had the hash {other} when that was noted: the chain was written anew"
    )
    assert damage(*entries[:2], expect=heads) == ("the chain ends with entry 2; entry 3 was noted: its end was cut off")
    assert walked(*entries[:2], expect=heads, part=True).count == 2


def test_a_head_is_read_as_it_is_written():
    head = Head(12, "ab" * 32)
    assert Head.parse(str(head)) == head
    assert str(Head()) == f"0:{GENESIS}"


@pytest.mark.parametrize("text", ["", "12", ":" + GENESIS, "12:" + "A" * 64, "12:" + "0" * 63, f"12:{GENESIS}\n"])
def test_what_is_no_head_is_shown_beside_one(text: str):
    with pytest.raises(
        ValueError, match=r"is no head such as 12:0{64}, as `registrar audit verify` prints it"
    ) as caught:
        Head.parse(text)
    assert repr(text) in str(caught.value)


def test_a_text_is_canonical():
    summer = timezone(timedelta(hours=2))
    value = {"b": [1, None], "a": "é", "at": datetime(2026, 7, 1, 14, tzinfo=summer)}
    assert canonical(value) == '{"a":"\\u00e9","at":"2026-07-01T12:00:00.000000+00:00","b":[1,null]}'
    assert iso(datetime(2026, 7, 1, 12, 0, 0, 7, tzinfo=UTC)) == "2026-07-01T12:00:00.000007+00:00"
    with pytest.raises(TypeError, match="set can't be written to the journal"):
        canonical({"a": set()})


def test_json_lines_are_entries_as_they_are():
    lines = list(LINES["jsonl"](chain(2)))
    assert [json.loads(line) for line in lines] == chain(2)
    assert all(line.endswith("}\n") and line.count("\n") == 1 for line in lines)


def test_a_table_has_what_an_entry_says_and_its_hashes():
    head, line = LINES["csv"](chain(1))
    assert head.removesuffix("\r\n").split(",") == [*BODY_COLUMNS, "said", "previous", "hash"]
    assert set(head.removesuffix("\r\n").split(",")) == (set(COLUMNS) - {"body"}) | {"said"}
    assert line.startswith("1,x,")
    assert line.endswith(f',"{{""nth"":1}}",{GENESIS},{chain(1)[0]["hash"]}\r\n')


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_table_is_a_formula(start: str):
    _, line = LINES["csv"]([entry(1, actor_name=f"{start}1+1", actor="a=1")])
    assert f",'{start if start.isprintable() else ''}" in line
    assert ",a=1," in line
