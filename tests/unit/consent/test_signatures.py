"""Signed requests: what sign() writes is verified without the library, and nothing else than what the library takes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import signatures
from consent.signatures import Headers, NotSigned, Received

KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
BODY = b'{"answer": "given"}'
Lines = list[tuple[str, str]]


@dataclass
class Me:
    id: str = "terminal-1"
    private_key: rsa.RSAPrivateKey = KEY


@dataclass
class Unsent:
    method: str = "PUT"
    url: str = "http://server/v1/visits/visit-1/card-use"
    headers: dict[str, str] = field(default_factory=lambda: {"Idempotency-Key": "visit-1"})


def lines_of(request: Unsent) -> Lines:
    return [(name.lower(), value) for name, value in request.headers.items()]


def signed() -> Lines:
    request = Unsent()
    signatures.sign(request, BODY, Me())
    return lines_of(request)


def told(method: str, target: str, lines: Lines, body: bytes = BODY) -> str:
    """What verify() says: the number used once, or why not."""
    received = Received(method, target, Headers(tuple(lines)))
    try:
        return "signed " + signatures.verify(received, body, "terminal-1", KEY.public_key())
    except NotSigned as error:
        return str(error)


def told_by_library(method: str, target: str, lines: Lines, body: bytes = BODY) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signatures, "_verified_as_written_here", lambda *_: None)
        return told(method, target, lines, body)


def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_given: object, **_more: object) -> None:
        raise AssertionError("the library was asked")

    monkeypatch.setattr(signatures._Verifier, "verify", never)


@pytest.mark.parametrize(
    ("url", "target", "once"),
    [
        ("http://server/v1/challenges", "/v1/challenges", False),
        ("http://server/v1/visits?since=2026-11-23T12%3A00%3A00%2B09%3A00", None, False),
        ("http://server/v1/visits/a.b-c_d/consents", "/v1/visits/a.b-c_d/consents", True),
    ],
)
def test_what_the_terminal_signs_is_verified_without_the_library(
    monkeypatch: pytest.MonkeyPatch, url: str, target: str | None, once: bool
) -> None:
    without_library(monkeypatch)
    request = Unsent("POST", url, {"Idempotency-Key": "a.b-c_d"} if once else {})
    signatures.sign(request, BODY, Me())
    said = told("POST", target or url.removeprefix("http://server"), lines_of(request))
    assert said.startswith("signed ") and said.split()[1] in request.headers["Signature-Input"]


def test_another_order_of_the_same_is_left_to_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Unsent(headers={"X-Terminal-Id": "terminal-1", "Idempotency-Key": "visit-1"})
    keys = MappingKeyResolver(public_keys={}, private_keys={"terminal-1": KEY})
    signer = HTTPMessageSigner(signature_algorithm=algorithms.RSA_V1_5_SHA256, key_resolver=keys)
    covered = ("idempotency-key", "x-terminal-id", "@query", "@path", "@method", "content-digest")
    signer.sign(
        request,
        key_id="terminal-1",
        nonce="once",
        tag="reception-terminal",
        label="another",
        covered_component_ids=covered,
        body=BODY,
    )
    assert told("PUT", "/v1/visits/visit-1/card-use", lines_of(request)) == "signed once"


Change = Callable[[Lines], Lines]


def changed(name: str, change: Callable[[str], str]) -> Change:
    return lambda lines: [(each, change(value) if each == name else value) for each, value in lines]


CHANGES: dict[str, Change] = {
    "nothing": lambda lines: lines,
    "no signature": lambda lines: [each for each in lines if each[0] != "signature"],
    "no input": lambda lines: [each for each in lines if each[0] != "signature-input"],
    "no digest": lambda lines: [each for each in lines if each[0] != "content-digest"],
    "no key for once": lambda lines: [each for each in lines if each[0] != "idempotency-key"],
    "other key for once": changed("idempotency-key", lambda _: "visit-2"),
    "key for once added twice": lambda lines: [*lines, ("idempotency-key", "visit-1")],
    "terminal twice": lambda lines: [*lines, ("x-terminal-id", "terminal-1")],
    "other terminal": changed("x-terminal-id", lambda _: "terminal-2"),
    "other keyid": changed("signature-input", lambda text: text.replace("terminal-1", "terminal-2")),
    "other nonce": changed("signature-input", lambda text: text.replace('nonce="', 'nonce="x')),
    "other tag": changed("signature-input", lambda text: text.replace("reception-", "exit-")),
    "other algorithm": changed("signature-input", lambda text: text.replace("rsa-v1_5", "rsa-v1_6")),
    "an hour ago": changed("signature-input", lambda text: text.replace("created=1", "created=0")),
    "no time": changed("signature-input", lambda text: text.replace("created=", "made=")),
    "one fewer covered": changed("signature-input", lambda text: text.replace(' "@query"', "")),
    "covered twice": changed("signature-input", lambda text: text.replace('"@query"', '"@query" "@query"')),
    "two signatures": changed("signature", lambda text: f"{text}, other{text[8:]}"),
    "signature cut": changed("signature", lambda text: text[:-9] + ":"),
    "signature of nothing": changed("signature", lambda _: "terminal=::"),
    "digest of other": changed("content-digest", lambda text: text.replace("sha-256=:", "sha-256=:A")),
    "digest by another name": changed("content-digest", lambda text: text.replace("256", "512")),
    "digest twice": changed("content-digest", lambda text: f"{text}, {text}"),
    "line end": changed("signature-input", lambda text: text + "\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_request_is_told_as_the_library_tells_it(change: Change) -> None:
    lines = signed()
    target = "/v1/visits/visit-1/card-use"
    for method, path, body in (
        ("PUT", target, BODY),
        ("PUT", target, b""),
        ("PUT", "/v1/visits/visit-2", BODY),
    ):
        known = told_by_library(method, path, change(lines), body)
        assert told(method, path, change(lines), body) == known
        assert known.startswith("signed ") is (
            change is CHANGES["nothing"] and (path, body) == (target, BODY)
        )


@settings(max_examples=200)
@given(st.data())
def test_no_change_of_a_byte_is_taken(data: st.DataObject) -> None:
    lines = signed()
    covered = ("x-terminal-id", "content-digest", "signature-input", "signature", "idempotency-key")
    name = data.draw(st.sampled_from(covered))
    value = dict(lines)[name]
    place = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(
        st.characters(min_codepoint=32, max_codepoint=126).filter(lambda one: one != value[place])
    )
    spoilt = value[:place] + other + value[place + 1 :]
    lines = changed(name, lambda _: spoilt)(lines)
    said = told("PUT", "/v1/visits/visit-1/card-use", lines)
    # The last bits of the signature's text carry nothing; every other change spoils it.
    assert said in ("REQUEST_SIGNATURE_INVALID", "CLOCKS_DIFFER") or (
        name == "signature" and said == told_by_library("PUT", "/v1/visits/visit-1/card-use", lines)
    )


def test_another_key_signs_for_nobody() -> None:
    request = Unsent()
    signatures.sign(request, BODY, Me(private_key=OTHER_KEY))
    assert told("PUT", "/v1/visits/visit-1/card-use", lines_of(request)) == "REQUEST_SIGNATURE_INVALID"
