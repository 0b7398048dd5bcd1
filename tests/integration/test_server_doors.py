"""Who gets in, and how much of the server one may take: TLS with certificates, limits, several processes."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from config import Server, Site
from consent.choices import ConsentAnswer
from consent.eligibility import EligibilityClient, Refused, Untrusted
from consent.eligibility.transport import SignedBy
from consent.enrolment.network import write_certificates
from consent.enrolment.state_files import parsed_subject, pem_of
from consent.server import ServerError, Tls
from consent.server.certificates import Authority
from consent.server.door import CERTIFICATE_HEADER
from consent.server.rate_limits import Buckets, Limits
from reception.__main__ import main
from tests.support.servers import TERMINAL, Bench, Signed, bench, whole

NOW = datetime.now(UTC)
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def files(state: Path) -> Path:
    folder = state / "out"
    write_certificates(state, folder, ["127.0.0.1"], [TERMINAL, "terminal-2"], NOW, auditor=True)
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


NGINX = pytest.mark.skipif(shutil.which("nginx", path=PLACES) is None, reason="nginx is not installed")


def test_a_certified_terminal_is_served_from_challenge_to_consents(guarded: Bench, files: Path) -> None:
    client = caller(guarded, files)
    client.identify_by_face("visit-1", client.challenge(), guarded.certificate(), 0.3)
    assert client.send_consents("visit-1", whole(MEDICATION=ConsentAnswer.GIVEN)).limit_category == ""


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


@NGINX
def test_who_never_begins_tls_is_cut_off(state: Path, files: Path) -> None:
    tls = Tls(files / "server.pem", files / "server-key.pem", files / "ca.pem")
    with bench(Authority(state), tls=tls, limits=Limits(request_s=1.0)) as made:
        held = [socket.create_connection(port_of(made), timeout=5) for _ in range(4)]
        held[1].sendall(b"\x16\x03\x01\x02\x00")
        assert all(is_closed(each) for each in reversed(held))
        for each in held:
            each.close()


def is_closed(connection: socket.socket) -> bool:
    """Say whether the other side ends the connection, sooner or later, without a word."""
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True


def test_a_certificate_speaks_for_its_own_terminal_only(guarded: Bench, files: Path) -> None:
    with pytest.raises(Refused, match="TERMINAL_MISMATCH"):
        caller(guarded, files, "terminal-2").challenge()
    assert "TERMINAL_MISMATCH" in {entry.outcome for entry in auditor(guarded, files).audit()}


def auditor(made: Bench, files: Path) -> EligibilityClient:
    return made.auditor(
        ca=str(files / "ca.pem"),
        cert=str(files / "terminal-auditor.pem"),
        key=str(files / "terminal-auditor-key.pem"),
    )


@NGINX
@pytest.mark.parametrize(
    ("common", "names"), [("", []), (None, []), (None, ["terminal-1"]), ("x", ["terminal-1"])]
)
def test_a_name_is_taken_from_the_certificate_and_none_is_nobody(
    guarded: Bench, files: Path, state: Path, tmp_path: Path, common: str | None, names: list[str]
) -> None:
    """Without a common name, a certificate of the client CA spoke for every terminal."""
    certificate = odd_certificate(state, tmp_path, common, names)
    client = caller(guarded, files, cert=str(certificate), key="")
    if names:
        assert client.challenge().id
    else:
        with pytest.raises(Untrusted, match="no name"):
            client.challenge()


def odd_certificate(state: Path, folder: Path, common: str | None, names: list[str]) -> Path:
    """Return a certificate of the site's own CA, with its key, that names its holder in some other way."""
    path = state / "pki" / "network-ca.pem"
    ca = parsed_subject(path, path.read_bytes())
    key = Authority(state).enrol_terminal(TERMINAL).private_key
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else []
    subject += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "clinic")]
    builder = x509.CertificateBuilder(
        ca.certificate.subject,
        x509.Name(subject),
        key.public_key(),
        x509.random_serial_number(),
        NOW - timedelta(days=1),
        NOW + timedelta(days=1),
    ).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    made = builder.sign(ca.key, hashes.SHA256())
    file = folder / "odd.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem_of(key))
    return file


@NGINX
def test_nobody_can_hand_in_a_certificate_by_a_header(guarded: Bench, files: Path) -> None:
    client = caller(guarded, files, "terminal-2")
    theirs = (files / f"terminal-{TERMINAL}.pem").read_text()
    client._transport.session.headers[CERTIFICATE_HEADER] = urllib.parse.quote(theirs)
    with pytest.raises(Refused, match="TERMINAL_MISMATCH"):
        client.challenge()


@NGINX
@pytest.mark.expected_log("nginx died and is begun anew")
def test_a_front_that_dies_is_begun_anew(guarded: Bench, files: Path) -> None:
    client = caller(guarded, files, budget_s=10.0)
    client.challenge()
    running = guarded.server._running
    assert running is not None and running._front is not None and running._front._process is not None
    killed = running._front._process
    killed.kill()
    while running._front._process is killed or not client.health():
        pass
    assert client.challenge().id


@NGINX
def test_slow_pipelined_and_too_many_are_refused_behind_the_front(
    state: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second request on one connection had no deadline: 62 of 62 stood open after 90 s."""
    monkeypatch.setattr("consent.server.app.BODY_WITHIN_S", 1.0)
    tls = Tls(files / "server.pem", files / "server-key.pem", files / "ca.pem")
    limits = Limits(request_s=1.0, per_s=5.0, burst=20, connections_each=8)
    context = ssl.create_default_context(cafile=str(files / "ca.pem"))
    context.load_cert_chain(files / f"terminal-{TERMINAL}.pem", files / f"terminal-{TERMINAL}-key.pem")
    whole_one = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    slow = [
        b"GET /hea",
        whole_one + b"GET /hea",
        b"POST /v1/insured HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ]
    with bench(Authority(state), tls=tls, limits=limits) as made:
        for sent in slow:
            with (
                socket.create_connection(port_of(made), timeout=10) as line,
                context.wrap_socket(line, server_hostname="127.0.0.1") as secured,
            ):
                secured.sendall(sent)
                with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
                    while secured.recv(1000):
                        pass
        codes: list[int] = []
        with httpx.Client(verify=context, trust_env=False) as hasty:
            while 429 not in codes and len(codes) < 60:
                codes.append(hasty.get(f"{made.server.url}/health").status_code)
        assert 429 in codes and len(codes) > 10


def test_a_certified_terminal_whose_enrolment_ended_is_refused(
    guarded: Bench, files: Path, state: Path
) -> None:
    write_certificates(state, files, [], ["gone"], NOW)
    client = caller(guarded, files, "gone")
    client._transport.session.auth = SignedBy(guarded.authority.enrol_terminal("gone"))
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
        auth = Signed(made.authority.enrol_auditor())
        with httpx.Client(transport=transport, trust_env=False) as calm:
            answer = calm.get(f"{made.server.url}/v1/audit", auth=auth)
        refused = [(entry["terminal_id"], entry["outcome"]) for entry in answer.json()["entries"]]
        assert refused == [("127.0.0.1", "TOO_MANY_REQUESTS")]


def test_a_body_that_does_not_come_to_its_end_is_cut_off(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consent.server.app.BODY_WITHIN_S", 0.1)
    sent = b"POST /v1/insured HTTP/1.1\r\nHost: localhost\r\n"
    sent += b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    with bench(Authority(state)) as made, socket.create_connection(port_of(made), timeout=5) as slow:
        slow.sendall(sent)
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")


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


def children_of(pid: int) -> set[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(child) for child in told.split() if is_worker(int(child))}


def is_worker(pid: int) -> bool:
    """Whether a process lives that serves; multiprocessing keeps another that counts resources."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def eventually(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # another process's state is looked at
    return True


def test_a_worker_that_is_killed_is_replaced_and_all_end_with_their_supervisor(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reception", "--state", str(tmp_path), "server", "--port", "0"]
    process = subprocess.Popen([*command, "--workers", "2"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[2]
        first = children_of(process.pid)
        assert len(first) == 2
        os.kill(min(first), signal.SIGKILL)
        assert eventually(lambda: len(children_of(process.pid) - first) == 1)
        assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
        workers = children_of(process.pid)
    finally:
        process.kill()
        process.communicate(timeout=30)
    assert eventually(lambda: not any(map(is_worker, workers)))


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv of util-linux here")
def test_nginx_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    write_certificates(tmp_path, tmp_path / "c", ["127.0.0.1"], ["t-1"], datetime.now(UTC))
    command = [sys.executable, "-m", "reception", "--state", str(tmp_path), "server", "--port", "0"]
    for option, name in (("tls-cert", "server"), ("tls-key", "server-key"), ("client-ca", "ca")):
        command += [f"--{option}", str(tmp_path / "c" / f"{name}.pem")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[2].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    finally:
        process.kill()
        process.communicate(timeout=30)

    def is_free() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    assert eventually(is_free)


def test_workers_without_a_database_that_all_reach_are_refused_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reception", "--state", str(tmp_path), "server", "--port", "0"]
    more = ["--workers", "2", "--database", "sqlite://"]
    ended = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode != 0
    assert ended.stderr.splitlines() == [ended.stderr.strip()]
    assert "not in memory" in ended.stderr


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
        "nginx.conf",
    ]
    assert all(path.stat().st_mode & 0o77 == 0 for path in written)
    ssl.create_default_context(cafile=str(out / "ca.pem"))
    assert Authority(tmp_path / "state").terminal_public_key("t-1")
    assert main(["--state", str(tmp_path), "certificates", "--out", str(out), "--terminal", "a b"]) == 2
    assert main(["--state", str(tmp_path), "certificates", "--out", str(out)]) == 2
