"""Where a request ends, found byte by byte; gunicorn's own parser is what it must agree with."""

from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.errors import NoMoreData
from hypothesis import given
from hypothesis import strategies as st

from webhooks.framing import MAX_HEAD, Framing, HeadTooLarge

LARGEST = 2000
HEAD = b"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\n"

bodies = st.binary(max_size=300)
lengths = bodies.map(lambda body: HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
extensions = st.sampled_from([b"", b";a=b", b" ; name"])
trailers = st.sampled_from([b"\r\n", b"X-Check: 1\r\n\r\n"])


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    parts = draw(st.lists(st.binary(min_size=1, max_size=80), max_size=5))
    lines = [b"%x%b\r\n%b\r\n" % (len(part), draw(extensions), part) for part in parts]
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(lines) + b"0\r\n" + draw(trailers)


requests = st.one_of(lengths, chunked(), st.just(HEAD + b"\r\n"))


def ends(sent: bytes, cuts: list[int], *, largest: int = LARGEST) -> Iterator[tuple[int, int | None]]:
    """How many bytes had arrived, and where the request was then said to end."""
    framing, arrived = Framing(largest), bytearray()
    for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        arrived += sent[begin:end]
        yield len(arrived), framing.end(arrived)


def needs_more(sent: bytes) -> bool:
    """Whether gunicorn would wait for more bytes after these."""
    try:
        parser = get_parser(Config(), iter([sent]), ("127.0.0.1", 1))
        request = next(parser)
        request.body.read()
    except (NoMoreData, StopIteration):
        return True
    except Exception:  # noqa: BLE001 (whatever it says is wrong with them)
        return False
    return False


@given(request=requests, more=st.binary(max_size=40), data=st.data())
def test_a_request_in_any_pieces_ends_where_it_ends_and_no_sooner(request: bytes, more: bytes, data: st.DataObject):
    sent = request + more
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    for arrived, end in ends(sent, cuts):
        if arrived < len(request):
            assert end is None, (arrived, end)
        else:
            assert end == len(request)
            return


@given(request=requests, data=st.data())
def test_what_is_called_whole_is_never_waited_for_by_the_parser(request: bytes, data: st.DataObject):
    cut = data.draw(st.integers(0, len(request)))
    [(_, end)] = ends(request[:cut], [])
    assert (end is None) or not needs_more(request[:end])


@given(garbage=st.binary(max_size=400), data=st.data())
def test_garbage_is_either_waited_for_or_whole_and_breaks_nothing(garbage: bytes, data: st.DataObject):
    sent = data.draw(st.sampled_from([b"", HEAD, HEAD + b"Transfer-Encoding: chunked\r\n\r\n"])) + garbage
    for arrived, end in ends(sent, [len(sent) // 2]):
        assert end is None or 0 < end <= arrived


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: five",
        b"Content-Length: -1",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Length: 99999999999999999999",
    ],
)
def test_a_length_that_can_not_be_told_is_the_parsers_to_refuse_at_once(line: bytes):
    sent = HEAD + line + b"\r\n\r\n"
    assert [end for _, end in ends(sent, [])] == [len(sent)]


def test_an_announced_body_beyond_the_largest_is_not_waited_for():
    sent = HEAD + b"Content-Length: 2001\r\n\r\n"
    assert [end for _, end in ends(sent, [])] == [len(sent)]


@pytest.mark.parametrize("chunks", [b"7d1\r\n", b"fffffffff\r\n", b"zz\r\n", b"1\r\nabc", b"1" * 2000])
def test_a_chunk_that_is_too_large_or_broken_is_not_waited_for(chunks: bytes):
    sent = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    assert [end for _, end in ends(sent, [])] == [len(sent)]


def test_a_head_that_does_not_end_is_refused():
    with pytest.raises(HeadTooLarge):
        Framing(LARGEST).end(bytearray(HEAD + b"X-Long: " + b"a" * MAX_HEAD))
