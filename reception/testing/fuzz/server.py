"""Long fuzzing of the server, for ``./run fuzz server``: malformed HTTP, and requests made from its OpenAPI file."""

import asyncio
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import load_der_x509_certificate as certificate_of
from cryptography.x509 import ocsp

from config import Server
from config.person import Person, PersonCard, PersonCertificate
from consent.eligibility import EligibilityClient
from consent.server import EligibilityServer
from consent.server.certificates import Authority
from consent.signatures import Identity, sign
from consent.wire import IDEMPOTENCY_HEADER, JAPAN, TERMINAL_HEADER, to_base64
from reception.testing.fuzz import FuzzReport

TERMINAL, VISIT = "terminal-1", "visit-1"
AT_ONCE = 32
WAITS_FOR_MORE_S = 0.25
"""A server that said nothing for so long waits for the rest of the request."""
ANSWER_S = 10.0


class BrokenPromise(Exception):
    """The server did what it never should; the text says on which bytes."""


def fuzz_server(seconds: float, seed: int) -> FuzzReport:
    """Send malformed HTTP for half of the time, and requests made from the OpenAPI document for the other half."""
    malformed = fuzz_http(seconds / 2, seed)
    if malformed.failure:
        return malformed
    found = fuzz_described(seconds / 2, seed)
    return FuzzReport(malformed.inputs + found.inputs, seed, found.failure)


def fuzz_http(seconds: float, seed: int, inputs: int | None = None) -> FuzzReport:
    """Send mutated requests until the time or their number is used up.

    Every answer must be whole, no fault of the server's (5xx), and without a traceback; the log must stay clean, and
    the server must go on answering.
    """
    # Repeatable, not secret.
    chance = random.Random(seed)  # noqa: S311
    deadline, count = time.monotonic() + seconds, 0
    with _own_server() as (server, authority, _), _errors_logged() as errors:
        templates = _templates(server, authority)
        requests = _mutations(chance, templates, authority.enrol_terminal(TERMINAL))
        client = _client(server, authority)
        _identified(client, authority)
        while time.monotonic() < deadline and count != inputs:
            size = 500 if inputs is None else min(500, inputs - count)
            batch = [next(requests) for _ in range(size)]
            try:
                asyncio.run(_send_all(server.url, batch))
            except BrokenPromise as broken:
                return FuzzReport(count, seed, str(broken))
            count += size
            if errors or not client.health():
                return FuzzReport(
                    count, seed, f"in the last {size} requests: {errors or 'no answer any more'}"
                )
        client.close()
    return FuzzReport(count, seed)


def fuzz_described(seconds: float | None, seed: int, examples: int = 100) -> FuzzReport:
    """Let schemathesis make requests from the OpenAPI document and compare the answers with it.

    ``examples`` per operation, and again with others until ``seconds`` are used up (None: once). Raises OSError when
    schemathesis, one of the test tools, is not installed.
    """
    with _own_server() as (server, authority, state), tempfile.TemporaryDirectory() as folder:
        client = _client(server, authority)
        _identified(client, authority)
        client.close()
        # About a visit that exists; paths of all kinds are the malformed requests' affair.
        settings, report = Path(folder) / "schemathesis.toml", Path(folder) / "report.json"
        settings.write_text(f'[parameters]\n"path.visit_id" = "{VISIT}"\n', encoding="utf-8")
        command = [Path(sys.executable).with_name("schemathesis"), "--config-file", settings, "run"]
        command += [f"{server.url}/openapi.json"]
        hooks = Path(folder) / "signing.py"
        hooks.write_text(_HOOKS.format(root=_ROOT, state=str(state), terminal=TERMINAL), encoding="utf-8")
        command += ["--no-color", "--warnings", "off", "--seed", str(seed), "-n", str(examples)]
        command += ["--generation-database", "none"]
        command += [] if seconds is None else ["--max-time", str(max(1, round(seconds)))]
        command += ["--report", "json", "--report-json-path", report]
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "signing", "PYTHONPATH": f"{folder}{os.pathsep}{_ROOT}"},
            timeout=(seconds or 0) + 120,
        )
        count = _test_cases(done.stdout)
        if done.returncode == 0:
            return FuzzReport(count, seed)
        return FuzzReport(count, seed, (done.stdout + done.stderr)[-4000:])


def _test_cases(shown: str) -> int:
    words = shown.partition("Test cases:")[2].split()
    return int(words[0]) if words and words[0].isdecimal() else 0


@contextmanager
def _own_server() -> Iterator[tuple[EligibilityServer, Authority, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        authority.enrol_terminal(TERMINAL)
        with EligibilityServer([_PERSON], authority, clock=lambda: _NOW) as server:
            yield server, authority, Path(folder)


@contextmanager
def _errors_logged() -> Iterator[list[str]]:
    found: list[str] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(f"{record.name}: {record.getMessage()}")

    watch = Watch(logging.ERROR)
    logging.getLogger().addHandler(watch)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(watch)


def _client(server: EligibilityServer, authority: Authority) -> EligibilityClient:
    return EligibilityClient(Server(url=server.url), authority.enrol_terminal(TERMINAL))


def _identified(client: EligibilityClient, authority: Authority) -> None:
    client.identify_by_face(VISIT, client.challenge(), authority.certificate_for(_PERSON), 0.3)


# --- What is sent -----------------------------------------------------------------------------------------------


def _templates(server: EligibilityServer, authority: Authority) -> list[bytes]:
    """Return well-formed requests of every kind, as bytes."""
    der = authority.certificate_for(_PERSON)
    identification = {
        "visit_id": "visit-2",
        "challenge_id": "x",
        "method": "pin",
        "certificate": to_base64(der),
        "signature": to_base64(b"x" * 256),
        "profile": "current",
        "facility": {},
    }
    query = {
        "institution_code": "1312345676",
        "insurer_number": "06139992",
        "symbol": "1",
        "number": "2",
        "birth_date": "1980-06-17",
    }
    asked = ocsp.OCSPRequestBuilder().add_certificate(
        certificate_of(der), authority.trusted_cas()[0], hashes.SHA256()
    )
    question = asked.build().public_bytes(serialization.Encoding.DER)
    host = urlsplit(server.url).netloc

    def request(line: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        head = [
            f"{line} HTTP/1.1",
            f"Host: {host}",
            f"{TERMINAL_HEADER}: {TERMINAL}",
            f"Content-Type: {kind}",
        ]
        head += [f"{IDEMPOTENCY_HEADER}: {VISIT}", f"Content-Length: {len(body)}", "Connection: close"]
        return "\r\n".join([*head, "", ""]).encode() + body

    def asking(line: str, body: object) -> bytes:
        return request(line, json.dumps(body).encode())

    return [
        request("POST /v1/challenges"),
        asking("POST /v1/identifications", identification),
        asking(f"PUT /v1/visits/{VISIT}/consents", {"answers": {"MEDICATION": "given"}}),
        asking(f"PUT /v1/visits/{VISIT}/card-use", {"answer": "given"}),
        asking("POST /v1/insured", query),
        asking("PUT /v1/reference-numbers", {**query, "reference_number": "42"}),
        request(f"GET /v1/visits/{VISIT}/result"),
        request("GET /v1/visits"),
        request("GET /v1/audit"),
        request("GET /openapi.json"),
        request("POST /ocsp", question, "application/ocsp-request"),
        request("GET /crl/user-authentication.crl"),
    ]


def _mutations(chance: random.Random, templates: list[bytes], identity: Identity) -> Iterator[bytes]:
    """Every other one is signed as it is then, so that it gets further in than to the door."""
    while True:
        data = chance.choice(templates)
        for _ in range(chance.choice((1, 1, 2, 4))):
            data = chance.choice(_WAYS)(chance, data)
        yield _signed(data, identity) if chance.random() < 0.5 else data


@dataclass
class _Raw:
    """A request of bytes, as far as it can be signed."""

    method: str
    url: str
    headers: dict[str, str]


def _signed(data: bytes, identity: Identity) -> bytes:
    """Return a request with its signature; one that is too far gone as it is."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    once = {IDEMPOTENCY_HEADER: VISIT} if any(line.startswith(IDEMPOTENCY_HEADER) for line in lines) else {}
    raw = _Raw(words[0], f"http://receiver{words[1] if len(words) > 1 else ''}", once)
    try:
        sign(raw, body, identity)
    except Exception:  # the library says no in many ways to what is no request
        return data
    kept = [line for line in lines if not line.startswith((TERMINAL_HEADER, IDEMPOTENCY_HEADER))]
    added = [f"{name}: {value}" for name, value in raw.headers.items()]
    return "\r\n".join([first, *kept, *added]).encode("latin-1") + b"\r\n\r\n" + body


_ROOT = str(Path(__file__).parents[3])
_HOOKS = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
import schemathesis
from consent.eligibility.transport import SignedBy
from consent.server.certificates import Authority
from consent.signatures import Identity, sign
identity = Authority(Path({state!r})).enrol_terminal({terminal!r})
@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["auth"] = SignedBy(identity)
"""


def _bytes_changed(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(changed) + 1)
        changed[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
    return bytes(changed)


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _length_untrue(chance: random.Random, data: bytes) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    wrong = (
        b"-1",
        b"1" * 30,
        b"0x10",
        b"",
        b"1, 2",
        str(len(body) + 1).encode(),
        str(len(body) // 2).encode(),
    )
    lines += [b"Content-Length: " + chance.choice(wrong) for _ in range(chance.randrange(1, 3))]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _chunked(chance: random.Random, data: bytes) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    size = chance.choice((f"{len(body):x}".encode(), b"-5", b"zz", b"f" * 20))
    ending = chance.choice((b"\r\n0\r\n\r\n", b"\r\n", b""))
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", size, body]) + ending


def _header_added(chance: random.Random, data: bytes) -> bytes:
    first, _, rest = data.partition(b"\r\n")
    header = chance.choice(
        (
            b"X: " + b"a" * 70_000,
            b"\r\n".join(b"X-%d: 1" % number for number in range(500)),
            b" folded: 1",
            b"no colon",
            b"X: \x00\x01\xff",
            b"Expect: 100-continue",
            b"Upgrade: h2c",
            b"Upgrade: websocket\r\nConnection: Upgrade",
            b"Content-Type: text/plain; charset=\xff",
            TERMINAL_HEADER.encode() + b": \xe5\xb1\xb1",
        )
    )
    return first + b"\r\n" + header + b"\r\n" + rest


def _target_changed(chance: random.Random, data: bytes) -> bytes:
    method, _, rest = data.partition(b" ")
    target, _, rest = rest.partition(b" ")
    method = chance.choice((method, b"GET", b"TRACE", b"CONNECT", b"PUT", b"\x00", b"A" * 500))
    ends = (b"%00", b"%ff%fe", b"/../../etc", b"?a=%", b"a" * 5000, b"//", b"#", b"\xe5", b"%2e%2e%2f")
    return b" ".join((method, target + chance.choice(ends), rest))


def _json_changed(chance: random.Random, data: bytes) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    bodies = (
        b"[" * 10_000,
        b'{"answers":' * 1000,
        b"1e999999",
        b"9" * 10_000,
        b'{"a":"\\ud800"}',
        b'"\xff\xfe"',
        b"\xef\xbb\xbf{}",
        b"null",
        body + body,
        body.replace(b'"', b'"\\u0000', 1),
        body.replace(b":", b":NaN,", 1),
        b" " * 70_000,
    )
    body = chance.choice(bodies)
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def _noise(chance: random.Random, _data: bytes) -> bytes:
    return chance.randbytes(chance.randrange(200))


_WAYS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _bytes_changed,
    _bytes_changed,
    _cut,
    _length_untrue,
    _chunked,
    _header_added,
    _target_changed,
    _json_changed,
    _noise,
)


# --- What comes back --------------------------------------------------------------------------------------------


async def _send_all(url: str, requests: list[bytes]) -> None:
    """Send the requests, each on a connection of its own; raises BrokenPromise for a wrong answer."""
    where = urlsplit(url)
    free = asyncio.Semaphore(AT_ONCE)

    async def send(request: bytes) -> None:
        async with free:
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            try:
                answer = await _answer_to(request, reader, writer)
            finally:
                writer.close()
        mistake = _mistake_in(answer)
        if mistake:
            raise BrokenPromise(f"{mistake} on {request[:4000]!r}: {answer[:2000]!r}")

    await asyncio.gather(*map(send, requests))


async def _answer_to(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return what the server says until it closes, or until the answer is whole and nothing more comes."""
    answer = bytearray()
    try:
        writer.write(request)
        await writer.drain()
        while True:
            patience = WAITS_FOR_MORE_S if _is_whole(answer) else ANSWER_S
            part = await asyncio.wait_for(reader.read(65_536), patience)
            if not part:
                break
            answer += part
    except TimeoutError:
        pass
    except ConnectionError:
        # The server closed while we were still sending; what it said before may be lost on the way.
        return b""
    return bytes(answer)


def _is_whole(answer: bytes | bytearray) -> bool:
    """Say whether the answers so far are whole; none at all counts as well."""
    rest = bytes(answer)
    while rest:
        head, ends, body = rest.partition(b"\r\n\r\n")
        length = _length_of(head, body)
        if not ends or len(body) < length:
            return False
        rest = body[length:]
    return True


def _mistake_in(answer: bytes) -> str:
    if not _is_whole(answer):
        return "half an answer"
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if not head.startswith(b"HTTP/1.1 ") or status >= [b"500"]:
            return "a fault of the server's"
        length = _length_of(head, rest)
        body, answer = rest[:length], rest[length:]
        if b"Traceback" in body:
            return "a traceback"
        if b"content-type: application/json" in head.lower():
            try:
                json.loads(body)
            except ValueError:
                return "no JSON"
    return ""


def _length_of(head: bytes, rest: bytes) -> int:
    """Return the body's length: as announced, or everything until the connection ends."""
    lines = head.lower().split(b"\r\n")
    for line in lines:
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return len(rest) if b"connection: close" in lines else 0


_NOW = datetime(2026, 4, 1, 9, tzinfo=JAPAN)
_PERSON = Person(
    name="山田　花子",
    name_kana="ﾔﾏﾀﾞ ﾊﾅｺ",
    birth_date=date(1980, 6, 17),
    sex=2,
    address="",
    card=PersonCard(expires=date(2035, 2, 17), security_code="0000", photo="astronaut"),
    certificate=PersonCertificate(expires=date(2030, 2, 17)),
    id="fuzz",
)
