"""Who gets in, and how much of the server one may take: TLS with certificates, limits, several processes."""

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from config import Server, Site
from consent.choices import ConsentAnswer, Item
from consent.eligibility import EligibilityClient, Refused, Untrusted
from consent.enrolment.network import write_certificates
from consent.server import ServerError, Tls
from consent.server.certificates import Authority
from consent.server.rate_limits import Buckets, Limits
from reception.__main__ import main
from tests.support.servers import TERMINAL, Bench, bench

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def files(state: Path) -> Path:
    folder = state / "out"
    write_certificates(state, folder, ["127.0.0.1"], [TERMINAL, "terminal-2"], NOW)
    return folder


@pytest.fixture
def guarded(state: Path, files: Path) -> Iterator[Bench]:
    tls = Tls(files / "server.pem", files / "server-key.pem", files / "ca.pem")
    with bench(Authority(state), tls=tls) as made:
        yield made


def caller(made: Bench, files: Path, terminal: str = TERMINAL, **changes: Any) -> EligibilityClient:
    settings: dict[str, Any] = {
        "ca": str(files / "ca.pem"),
        "cert": str(files / f"terminal-{terminal}.pem"),
        "key": str(files / f"terminal-{terminal}-key.pem"),
        "budget_s": 3.0,
    }
    return made.client(TERMINAL, **{**settings, **changes})


def noted(made: Bench, files: Path) -> set[str]:
    """What the audit says of refused connections, asked by a terminal that is let in."""
    return {entry.outcome for entry in caller(made, files).audit() if entry.action == "connect"}


def test_a_certified_terminal_is_served_from_challenge_to_consents(guarded: Bench, files: Path) -> None:
    client = caller(guarded, files)
    client.identify_by_face("visit-1", client.challenge(), guarded.certificate(), 0.3)
    assert client.send_consents("visit-1", {Item.MEDICATION: ConsentAnswer.GIVEN}).limit_category == ""


def test_no_expired_or_foreign_certificate_gets_in(guarded: Bench, files: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    write_certificates(files.parent, old, [], [TERMINAL], NOW - timedelta(days=2), timedelta(days=1))
    foreign = tmp_path / "foreign"
    write_certificates(tmp_path / "other", foreign, [], [TERMINAL], NOW)
    for folder, words in ((old, "certificate has expired"), (foreign, "does not know who issued")):
        with pytest.raises(Untrusted, match=words):
            caller(guarded, folder, ca=str(files / "ca.pem")).challenge()
    with pytest.raises(Untrusted, match="wants a certificate"):
        caller(guarded, files, cert="").challenge()
    assert noted(guarded, files) >= {"CERTIFICATE_EXPIRED", "CERTIFICATE_UNTRUSTED", "CERTIFICATE_MISSING"}


def test_a_server_of_another_ca_is_told_nothing(guarded: Bench, files: Path, tmp_path: Path) -> None:
    write_certificates(tmp_path / "other", tmp_path / "foreign", [], [TERMINAL], NOW)
    with pytest.raises(Untrusted, match="not from the CA of the settings"):
        caller(guarded, files, ca=str(tmp_path / "foreign" / "ca.pem")).challenge()
    with pytest.raises(Untrusted, match="cannot be used"):
        caller(guarded, files, ca=str(tmp_path / "none.pem")).challenge()


def test_plain_http_is_refused(guarded: Bench, files: Path) -> None:
    plain = Server(url=guarded.server.url.replace("https", "http"), budget_s=3.0)
    client = EligibilityClient(plain, guarded.authority.enrol_terminal(TERMINAL))
    with pytest.raises(Untrusted, match="must begin with https"):
        client.challenge()
    client.close()
    assert "PLAIN_HTTP" in noted(guarded, files)


def test_who_never_begins_tls_is_counted_and_cut_off(state: Path, files: Path) -> None:
    tls = Tls(files / "server.pem", files / "server-key.pem", files / "ca.pem")
    with bench(Authority(state), tls=tls, limits=Limits(request_s=1.0, connections_each=3)) as made:
        held = [socket.create_connection(port_of(made), timeout=5) for _ in range(4)]
        held[1].sendall(b"\x16\x03\x01\x02\x00")
        assert all(is_closed(each) for each in reversed(held))
        for each in held:
            each.close()
        assert noted(made, files) >= {"TOO_SLOW", "TOO_MANY_CONNECTIONS"}


def is_closed(connection: socket.socket) -> bool:
    """Say whether the other side ends the connection, sooner or later, without a word."""
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True


def test_a_certificate_speaks_for_its_own_terminal_only(guarded: Bench, files: Path) -> None:
    with pytest.raises(Refused, match="TERMINAL_MISMATCH"):
        caller(guarded, files, "terminal-2").challenge()
    assert "TERMINAL_MISMATCH" in noted(guarded, files)


def test_a_certified_terminal_whose_enrolment_ended_is_refused(
    guarded: Bench, files: Path, state: Path
) -> None:
    write_certificates(state, files, [], ["gone"], NOW)
    client = caller(guarded, files, "gone")
    client._transport.session.headers["X-Terminal-Id"] = "gone"
    client.challenge()
    (state / "terminals" / "gone.pem").unlink()
    with pytest.raises(Refused, match="TERMINAL_UNKNOWN"):
        client.challenge()


def test_unusable_tls_files_are_one_clear_line(state: Path, files: Path) -> None:
    tls = Tls(files / "server.pem", files / "terminal-2-key.pem", files / "ca.pem")
    with (
        pytest.raises(ServerError, match=r"TLS: .* cannot be used") as error,
        bench(Authority(state), tls=tls),
    ):
        pass
    assert "\n" not in str(error.value)


def test_a_bucket_gives_its_burst_and_then_the_rate() -> None:
    buckets = Buckets(per_s=2.0, burst=3)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b", 0.0)
    assert [buckets.take("a", 1.0) for _ in range(3)] == [True, True, False]


def port_of(made: Bench) -> tuple[str, int]:
    return "127.0.0.1", int(made.server.url.rsplit(":", 1)[1])


def test_who_asks_too_fast_waits_for_a_refusal_and_others_do_not(state: Path) -> None:
    with bench(Authority(state), limits=Limits(per_s=1.0, burst=10, hold_s=0.05)) as made:
        codes: list[int] = []
        with httpx.Client(verify=False, trust_env=False) as hasty:
            while 429 not in codes and len(codes) < 20:
                # Who says to ask for somebody else is counted all the same.
                claimed = {"X-Forwarded-For": f"10.0.0.{len(codes)}"}
                codes.append(hasty.get(f"{made.server.url}/health", headers=claimed).status_code)
        assert 5 < len(codes) <= 11
        transport = httpx.HTTPTransport(local_address="127.0.0.9")
        with httpx.Client(transport=transport, trust_env=False) as calm:
            made.client()
            answer = calm.get(f"{made.server.url}/v1/audit", headers={"X-Terminal-Id": TERMINAL})
        refused = [(entry["terminal_id"], entry["outcome"]) for entry in answer.json()["entries"]]
        assert refused == [("127.0.0.1", "TOO_MANY_REQUESTS")]


@pytest.mark.parametrize(
    "sent", [b"", b"GET /heal", b"POST /v1/insured HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"]
)
def test_a_request_that_does_not_come_to_its_end_is_cut_off(state: Path, sent: bytes) -> None:
    with (
        bench(Authority(state), limits=Limits(request_s=0.1)) as made,
        socket.create_connection(port_of(made), timeout=5) as slow,
    ):
        slow.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while slow.recv(1000):
                pass


def test_who_does_not_read_the_answers_is_cut_off(state: Path) -> None:
    with bench(Authority(state), limits=Limits(request_s=0.3)) as made, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(10)
        deaf.connect(port_of(made))
        deaf.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
        while "TOO_SLOW" not in {entry.outcome for entry in made.client().audit()}:
            threading.Event().wait(0.05)


def test_an_answered_connection_may_rest_between_requests(state: Path) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with (
        bench(Authority(state), limits=Limits(request_s=0.1)) as made,
        socket.create_connection(port_of(made), timeout=5) as kept,
    ):
        for _ in range(2):
            kept.sendall(request)
            answer = b""
            while not answer.endswith(b'"ok"}'):
                answer += kept.recv(1000)
                assert answer.startswith(b"HTTP/1.1 200")
            threading.Event().wait(0.3)


def is_cut(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(10) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


def test_an_address_has_so_many_connections_and_gets_them_back(state: Path) -> None:
    with bench(Authority(state), limits=Limits(connections_each=2)) as made:
        held = [socket.create_connection(port_of(made), timeout=5) for _ in range(3)]
        assert [is_cut(each) for each in held] == [False, False, True]
        for each in held:
            each.close()
        while not made.client().health():
            pass


def test_several_processes_serve_one_address_and_end_together(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reception", "--state", str(tmp_path), "server", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--workers", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[2]
        identity = Authority(tmp_path).enrol_terminal(TERMINAL)
        for number in range(6):
            # A connection each, so that both processes get some.
            client = EligibilityClient(Server(url=url), identity, site=Site())
            assert client.challenge().id, number
            client.close()
        assert httpx.get(f"{url}/ready", verify=False, trust_env=False).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_the_command_writes_certificates_that_openssl_style_checks_accept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--out", str(out), "--host", "localhost", "--terminal", "t-1"]
    assert main(["--state", str(tmp_path / "state"), "certificates", *arguments]) == 0
    written = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.name for path in written] == [
        "ca.pem",
        "server.pem",
        "server-key.pem",
        "terminal-t-1.pem",
        "terminal-t-1-key.pem",
    ]
    assert all(path.stat().st_mode & 0o77 == 0 for path in written)
    ssl.create_default_context(cafile=str(out / "ca.pem"))
    assert Authority(tmp_path / "state").terminal_public_key("t-1")
    assert main(["--state", str(tmp_path), "certificates", "--out", str(out), "--terminal", "a b"]) == 2
    assert main(["--state", str(tmp_path), "certificates", "--out", str(out)]) == 2
