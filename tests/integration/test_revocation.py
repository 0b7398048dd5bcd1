"""Certificate status: the responder and the daily list, as openssl sees them, and what the server believes."""

import base64
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from config.person import Person, PersonCertificate
from consent.eligibility import EligibilityClient, Unreachable
from consent.server import FaultKind, Faults
from consent.server.certificates import Authority
from consent.server.people import People
from consent.server.refusal import Refusal
from consent.server.revocation import Responder, believed_status
from consent.wire import japan_now
from tests.support.servers import HANAKO, NOON, Bench, bench, outcome, person


def with_status(status: Any) -> Person:
    return person(str(status), certificate=PersonCertificate(HANAKO.certificate.expires, status=status))


REVOKED, ON_HOLD, UNKNOWN = with_status("revoked"), with_status("on-hold"), with_status("unknown")
EVERYBODY = (HANAKO, REVOKED, ON_HOLD, UNKNOWN)

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command here")


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[Bench]:
    with bench(authority, *EVERYBODY) as made:
        # openssl compares with the machine's clock.
        made.clock.now = japan_now()
        yield made


@pytest.fixture(scope="module")
def ca_file(running: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    der = fetched(running, "/ca/user-authentication.cer")
    path.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    return path


def fetched(made: Bench, path: str) -> bytes:
    answer = httpx.get(made.server.url + path, verify=False, trust_env=False)
    assert answer.status_code == 200
    return answer.content


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout + done.stderr


@needs_openssl
@pytest.mark.parametrize(
    ("someone", "told"),
    [
        (HANAKO, ": good"),
        (REVOKED, ": revoked.*Reason: cessationOfOperation.*Revocation Time"),
        (ON_HOLD, ": revoked.*Reason: certificateHold"),
        (UNKNOWN, ": unknown"),
        (person("stranger"), ": unknown"),
    ],
    ids=["good", "revoked", "on hold", "unknown", "of nobody here"],
)
def test_openssl_gets_the_status_from_the_responder(
    running: Bench, ca_file: Path, tmp_path: Path, someone: Person, told: str
) -> None:
    path = tmp_path / "card.pem"
    certificate = x509.load_der_x509_certificate(running.certificate(someone))
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    url = f"{running.server.url}/ocsp"
    shown = openssl("ocsp", "-issuer", ca_file, "-cert", path, "-CAfile", ca_file, "-url", url)
    assert "Response verify OK" in shown
    assert "no nonce" not in shown
    assert re.search(told, shown, re.DOTALL), shown


@needs_openssl
def test_openssl_reads_the_daily_list(running: Bench, ca_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.crl"
    path.write_bytes(fetched(running, "/crl/user-authentication.crl"))
    shown = openssl("crl", "-inform", "DER", "-in", path, "-CAfile", ca_file, "-noout", "-text")
    assert "verify OK" in shown
    assert shown.count("Serial Number:") == 2
    for someone, reason in ((REVOKED, "Cessation Of Operation"), (ON_HOLD, "Certificate Hold")):
        serial = x509.load_der_x509_certificate(running.certificate(someone)).serial_number
        entry = shown[shown.index(f"{serial:X}".rjust(2, "0")) :]
        assert entry.index(reason) < 300


def test_the_list_is_of_the_day_in_japan_and_does_not_change_within_it(authority: Authority) -> None:
    now = [datetime(2026, 11, 23, 0, 5, tzinfo=NOON.tzinfo)]
    people = People([HANAKO, REVOKED], authority)
    responder = Responder(people, authority, lambda: now[0])
    first = responder.revocation_list()
    made = x509.load_der_x509_crl(first)
    assert made.last_update_utc == datetime(2026, 11, 22, 15, tzinfo=UTC)
    assert made.next_update_utc == datetime(2026, 11, 23, 15, tzinfo=UTC)
    people.add(with_status("on-hold"))
    now[0] += timedelta(hours=23)
    assert responder.revocation_list() == first
    now[0] += timedelta(hours=1)
    assert len(x509.load_der_x509_crl(responder.revocation_list())) == 2


@pytest.mark.parametrize("content", [b"", b"\x30\x03abc", b"x" * 60_000])
def test_what_is_no_question_gets_a_malformed_answer(running: Bench, content: bytes) -> None:
    answer = httpx.post(f"{running.server.url}/ocsp", content=content, verify=False, trust_env=False)
    status = ocsp.load_der_ocsp_response(answer.content).response_status
    assert status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def question(authority: Authority, someone: Person = HANAKO, nonce: bytes = b"n" * 16) -> bytes:
    certificate = x509.load_der_x509_certificate(authority.certificate_for(someone))
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate, authority.trusted_cas()[0], hashes.SHA256()
    )
    builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def test_the_responder_does_not_speak_for_another_ca(running: Bench, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    answer = httpx.post(f"{running.server.url}/ocsp", content=question(other), verify=False, trust_env=False)
    status = ocsp.load_der_ocsp_response(answer.content).response_status
    assert status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_a_question_may_come_in_the_path(running: Bench) -> None:
    path = quote(base64.b64encode(question(running.authority)), safe="")
    told = ocsp.load_der_ocsp_response(fetched(running, f"/ocsp/{path}"))
    assert told.certificate_status is ocsp.OCSPCertStatus.GOOD


def told_by(authority: Authority, asked: Authority, at: datetime = NOON, **changes: Any) -> bytes:
    """An answer to HANAKO's question, by the responder of ``authority``, about a card of ``asked``."""
    request = question(asked, **changes)
    return Responder(People([HANAKO, REVOKED], authority), authority, lambda: at).answer(request)


@pytest.mark.parametrize(
    ("answer", "now", "words"),
    [
        (lambda ours, _: b"", NOON, "not understood"),
        (lambda ours, _: b"\x30\x03\x0a\x01\x06", NOON, "does not answer"),
        (lambda ours, _: told_by(ours, ours, nonce=b"m" * 16), NOON, "another question"),
        (lambda ours, _: told_by(ours, ours, someone=REVOKED), NOON, "another question"),
        (lambda ours, other: told_by(other, other), NOON, "another question"),
        (lambda ours, _: told_by(ours, ours), NOON + timedelta(hours=1, seconds=1), "another time"),
        (lambda ours, _: told_by(ours, ours), NOON - timedelta(minutes=6), "another time"),
        (lambda ours, _: told_by(ours, ours)[:-700], NOON, "not understood"),
        (lambda ours, _: forged(ours), NOON, "not signed by"),
        (lambda ours, _: signed_by_a_card(ours), NOON, "not signed by"),
    ],
    ids=[
        "nothing",
        "unauthorized",
        "other nonce",
        "other card",
        "other ca",
        "old",
        "of the future",
        "cut",
        "forged",
        "signed by a card of the same CA",
    ],
)
def test_an_answer_that_cannot_be_believed_is_none(
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
    answer: Callable[[Authority, Authority], bytes],
    now: datetime,
    words: str,
) -> None:
    other = Authority(tmp_path_factory.mktemp("other"))
    certificate = x509.load_der_x509_certificate(authority.certificate_for(HANAKO))
    with pytest.raises(Refusal) as refusal:
        believed_status(answer(authority, other), certificate, authority.trusted_cas()[0], b"n" * 16, now)
    assert (refusal.value.code, refusal.value.status) == ("CERTIFICATE_STATUS_UNAVAILABLE", 503)
    assert words in refusal.value.answer.message


def test_an_answer_from_the_responder_is_believed_until_it_is_an_hour_old(authority: Authority) -> None:
    certificate = x509.load_der_x509_certificate(authority.certificate_for(REVOKED))
    told = told_by(authority, authority, someone=REVOKED)
    for now in (NOON - timedelta(minutes=5), NOON, NOON + timedelta(hours=1)):
        ca = authority.trusted_cas()[0]
        assert believed_status(told, certificate, ca, b"n" * 16, now) == "revoked"


def forged(authority: Authority) -> bytes:
    """A whole answer with a signature that somebody without the key could write."""
    told = told_by(authority, authority)
    signature = ocsp.load_der_ocsp_response(told).signature
    return told.replace(signature, bytes(len(signature)))


def signed_by_a_card(authority: Authority) -> bytes:
    """An answer whose signer the CA issued, though not as a responder."""

    class Card:
        def crl_signer(self) -> Any:
            return authority.crl_signer()

        def status_signer(self) -> Any:
            return authority._holder(HANAKO, "user authentication")

    responder = Responder(People([HANAKO], authority), Card(), lambda: NOON)
    return responder.answer(question(authority))


def identified(made: Bench, client: EligibilityClient, someone: Person = HANAKO) -> Any:
    challenge = client.challenge()
    cert, signature = made.certificate(someone), made.sign(challenge, someone)
    return client.identify_by_pin("visit-1", challenge, cert, signature)


@contextmanager
def asking(authority: Authority, *, over_http: bool) -> Iterator[tuple[Bench, Faults]]:
    """A server, and the faults of the responder that it asks: its own in process, or another server's over HTTP."""
    if not over_http:
        with bench(authority) as made:
            yield made, made.server.faults
        return
    with bench(authority) as other, bench(authority, ocsp=f"{other.server.url}/ocsp") as made:
        yield made, other.server.faults


over_http = pytest.mark.parametrize("over_http", [False, True], ids=["in process", "over HTTP"])


@over_http
@pytest.mark.parametrize("fault", ["500", "garbage", "drop", "drop_before", "huge_body", "wrong_type"])
def test_without_the_responder_nobody_is_identified_and_nothing_is_recorded(
    authority: Authority, fault: Any, over_http: bool
) -> None:
    with asking(authority, over_http=over_http) as (made, faults):
        faults.next(fault, "/ocsp")
        client = made.client()
        with pytest.raises(Unreachable):
            identified(made, client)
        assert client.visit("visit-1") is None
        assert identified(made, client).questions


@over_http
@pytest.mark.parametrize("fault", ["delay", "slow_body"])
def test_a_responder_that_hangs_is_left_within_seconds(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, fault: Any, over_http: bool
) -> None:
    monkeypatch.setattr("consent.server.revocation.ASK_TIMEOUT_S", 0.2)
    with asking(authority, over_http=over_http) as (made, faults):
        faults.next(fault, "/ocsp")
        with pytest.raises(Unreachable):
            identified(made, made.client())


@over_http
def test_a_slow_responder_is_waited_for_and_its_clock_is_its_own(
    authority: Authority, over_http: bool
) -> None:
    with asking(authority, over_http=over_http) as (made, faults):
        faults.delay_s, faults.skew_s = 0.05, 7200
        kinds: tuple[FaultKind, ...] = ("delay", "clock_skew")
        for number, fault in enumerate(kinds):
            faults.next(fault, "/ocsp")
            client = made.client()
            challenge = client.challenge()
            assert client.identify_by_face(f"v-{number}", challenge, made.certificate(), 0.3).questions


@over_http
def test_a_revocation_counts_from_the_next_question_on(authority: Authority, over_http: bool) -> None:
    """The responder is asked at each identification; nothing that it said before is kept."""
    with ExitStack() as stack:
        other = stack.enter_context(bench(authority)) if over_http else None
        made = stack.enter_context(bench(authority, ocsp=f"{other.server.url}/ocsp" if other else None))
        for someone, told in ((HANAKO, "ok"), (replace(REVOKED, id=HANAKO.id), "CERTIFICATE_REVOKED")) * 2:
            for each in filter(None, (made, other)):
                each.server.add(someone)
            assert outcome(made, HANAKO) == told


def test_the_terminal_asks_no_responder(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(authority) as made:
        client, paths = made.client(), []
        once = client._transport.once

        def watched(method: str, path: str, *rest: Any) -> Any:
            paths.append(path)
            return once(method, path, *rest)

        monkeypatch.setattr(client._transport, "once", watched)
        identified(made, client)
        assert paths == ["/v1/challenges", "/v1/identifications"]


def test_forty_and_more_identifications_at_once_do_not_wait_for_themselves(authority: Authority) -> None:
    with bench(authority) as made, ThreadPoolExecutor(50) as pool:
        clients = [made.client() for _ in range(50)]
        signature_of = {client: client.challenge() for client in clients}

        def identify(number: int) -> bool:
            client = clients[number]
            told = client.identify_by_face(f"visit-{number}", signature_of[client], made.certificate(), 0.3)
            return bool(told.questions)

        assert all(pool.map(identify, range(50)))
