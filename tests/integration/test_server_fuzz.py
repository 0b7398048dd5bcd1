"""The server's answers to what no client of ours would send; ``./run fuzz server`` goes on for as long as told."""

import pytest

from reception.testing.fuzz.server import _mistake_in, fuzz_described, fuzz_http


def test_malformed_requests_are_answered_whole_or_not_at_all() -> None:
    report = fuzz_http(seconds=30, seed=1, inputs=500)
    assert (report.failure, report.inputs) == ("", 500)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_malformed_requests_are_answered_whole_or_not_at_all() -> None:
    report = fuzz_http(seconds=3000, seed=2, inputs=10_000)
    assert (report.failure, report.inputs) == ("", 10_000)


@pytest.mark.timeout(180)
def test_requests_made_from_the_openapi_document_find_nothing() -> None:
    report = fuzz_described(seconds=None, seed=1, examples=1)
    assert report.failure == ""
    assert report.inputs > 100


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (b"", ""),
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno", ""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}", "half an answer"),
        (b"HTTP/1.1 200 OK\r\n", "half an answer"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", "a fault of the server's"),
        (b"HTTP/1.1 400 No\r\ncontent-length: 9\r\n\r\nTraceback", "a traceback"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{", "no JSON"),
    ],
)
def test_a_broken_promise_is_noticed(answer: bytes, mistake: str) -> None:
    assert _mistake_in(answer) == mistake
