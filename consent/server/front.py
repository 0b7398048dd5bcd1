"""The HTTP front of a server that terminals reach over a network: nginx, with TLS, client certificates and limits.

It hands each request on through a Unix socket, with the certificate that it verified; docs/decisions/nginx-in-front.md
says what is won and lost by it.
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from string import Template

from consent import wire
from consent.server import ServerError, Tls
from consent.server.door import CERTIFICATE_HEADER
from consent.server.rate_limits import Limits

START_S = 10.0
LOOK_S = 0.2
_TIED = shutil.which("setpriv")
"""Of util-linux: ends nginx with its parent, however that ends. Without it, a SIGKILL leaves nginx behind."""
_PLACES = "/usr/sbin:/usr/local/sbin:/sbin"

_CONFIGURATION = Template("""\
# Written by this program: TLS in front of the eligibility server. Terminals need a certificate of the site's own CA.
$user
worker_processes 1;
worker_rlimit_nofile 8192;
pid $folder/nginx.pid;
error_log $folder/error.log warn;
events { worker_connections 2048; }
http {
    access_log off;
    server_tokens off;
    default_type application/json;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;

    # A handshake, the head of a request, and the taking of an answer have their time; the body's is the server's.
    client_header_timeout ${request_s}s;
    client_body_timeout ${request_s}s;
    send_timeout ${request_s}s;
    keepalive_timeout 60s;
    client_max_body_size 64k;
    client_header_buffer_size 2k;
    large_client_header_buffers 4 8k;
    reset_timedout_connection on;

    limit_conn_zone $$binary_remote_addr zone=addresses:1m;
    limit_req_zone $$ssl_client_fingerprint zone=certificates:1m rate=${per_s}r/s;
    limit_conn_status 429;
    limit_req_status 429;

    map $$ssl_client_verify $$why {
        default TERMINAL_CERTIFICATE_UNTRUSTED;
        ~expired TERMINAL_CERTIFICATE_EXPIRED;
        "~not yet valid" TERMINAL_CERTIFICATE_EXPIRED;
        NONE TERMINAL_CERTIFICATE_MISSING;
    }

    upstream eligibility { server unix:$socket; keepalive 16; }

    server {
        listen $listen ssl;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        ssl_client_certificate $client_ca;
        ssl_verify_client on;
        ssl_verify_depth 1;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets off;
        limit_conn addresses $connections_each;
        limit_req zone=certificates burst=$burst nodelay;

        error_page 495 496 = @certificate;
        error_page 497 = @plain;
        error_page 400 = @malformed;
        error_page 408 = @slow;
        error_page 413 = @long;
        error_page 429 = @many;
        error_page 502 503 504 = @away;
        location @certificate { return 400 '{"code":"$$why","message":"the certificate is not accepted"}'; }
        location @plain { return 400 '{"code":"$tls_required","message":"this server speaks TLS only"}'; }
        location @malformed { return 400 '{"code":"REQUEST_INVALID","message":"the request is malformed"}'; }
        location @slow { return 408 '{"code":"REQUEST_TOO_SLOW","message":"the request took too long"}'; }
        location @long { return 413 '{"code":"BODY_TOO_LONG","message":"the request is too long"}'; }
        location @many { return 429 '{"code":"TOO_MANY_REQUESTS","message":"more than one terminal may ask"}'; }
        location @away { return 503 '{"code":"SERVER_AWAY","message":"the server does not answer"}'; }

        location / {
            proxy_pass http://eligibility;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_read_timeout 60s;
            proxy_set_header Connection "";
            proxy_set_header Host $$host;
            proxy_set_header X-Forwarded-For $$remote_addr;
            proxy_set_header $certificate_header $$ssl_client_escaped_cert;
        }
    }
}
""")


def configuration(tls: Tls, listen: str, upstream: Path, folder: Path, limits: Limits) -> str:
    """Return nginx's configuration; ``folder`` takes what it writes, ``listen`` is an address with its port."""
    # Only a master that runs as root changes to a user; and it would take one that cannot reach the socket.
    name, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    return _CONFIGURATION.substitute(
        user=f"user {name} {group};" if os.getuid() == 0 else "",
        folder=folder,
        request_s=max(1, round(limits.request_s)),
        per_s=max(1, round(limits.per_s)),
        burst=limits.burst,
        connections_each=limits.connections_each,
        socket=upstream,
        listen=listen,
        certificate=tls.certificate.absolute(),
        key=tls.key.absolute(),
        client_ca=tls.client_ca.absolute(),
        tls_required=wire.TLS_REQUIRED,
        certificate_header=CERTIFICATE_HEADER,
    )


def program() -> str:
    """Return the path of nginx; raises ServerError."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{_PLACES}")
    if found is None:
        raise ServerError("TLS needs nginx, which is not installed (Debian: apt install nginx-light)")
    return found


class Front:
    """nginx as a child of this process: begun anew when it dies, and ended with it."""

    def __init__(self, tls: Tls, host: str, port: int, limits: Limits, failed: Callable[[str], None]) -> None:
        """Bind nothing yet; ``failed`` is told, from a thread, when nginx died and is begun anew."""
        self._program = program()
        self._folder = Path(tempfile.mkdtemp(prefix="reception-front-"))
        self.socket = self._folder / "http.sock"
        """Where the application listens."""
        self._failed = failed
        self._ended, self._works, self._failed_first = (threading.Event() for _ in range(3))
        self._process: subprocess.Popen[bytes] | None = None
        address = f"[{host}]" if ":" in host else host or "0.0.0.0"  # noqa: S104
        self._reached = ("127.0.0.1" if host in ("", "0.0.0.0") else "::1" if host == "::" else host, port)  # noqa: S104
        self._file = self._folder / "nginx.conf"
        self._file.write_text(configuration(tls, f"{address}:{port}", self.socket, self._folder, limits))
        self._watcher = threading.Thread(target=self._watch, name="eligibility-front", daemon=True)
        try:
            self._check((tls.certificate, tls.key, tls.client_ca))
        except BaseException:
            self._remove()
            raise

    def _check(self, files: tuple[Path, ...]) -> None:
        done = subprocess.run(self._command("-t", "-q"), capture_output=True, text=True, check=False)
        if done.returncode:
            words = done.stderr.strip().splitlines()[:1] or ["no reason given"]
            names = ", ".join(map(str, files))
            raise ServerError(f"TLS: {names}: cannot be used: {words[0].partition('] ')[2] or words[0]}")

    def _command(self, *more: str) -> list[str]:
        given = ["-e", str(self._folder / "error.log"), "-p", str(self._folder), "-c", str(self._file)]
        return [self._program, *given, *more]

    def start(self) -> None:
        """Return once it accepts connections; raises ServerError."""
        self._watcher.start()
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._failed_first.is_set() or time.monotonic() > deadline:
                words = self._log()
                self.end()
                raise ServerError(f"nginx does not start: {words}")
            self._ended.wait(0.02)
        self._works.set()

    def _begin(self) -> None:
        """Begin nginx, in the watcher's thread: what ends it with its parent goes by the thread that began it."""
        tied = [_TIED, "--pdeathsig", "TERM"] if _TIED else []
        self._process = subprocess.Popen(
            [*tied, *self._command("-g", "daemon off;")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Of its own, so that a worker whose master died can be found, and ended.
            process_group=0,
        )

    def _answers(self) -> bool:
        try:
            socket.create_connection(self._reached, timeout=1.0).close()
        except OSError:
            return False
        return True

    def _log(self) -> str:
        try:
            lines = (self._folder / "error.log").read_text(errors="replace").strip().splitlines()
        except OSError:
            return "it left no word"
        return lines[-1].partition("] ")[2] if lines else "it left no word"

    def _watch(self) -> None:
        self._begin()
        while not self._ended.wait(LOOK_S):
            process = self._process
            if process is None or process.poll() is None:
                continue
            if not self._works.is_set():
                self._failed_first.set()
                return
            self._failed(self._log())
            _end_group(process.pid)
            self._begin()
            self._ended.wait(1.0)

    def end(self) -> None:
        """End nginx and remove what it wrote."""
        self._ended.set()
        if self._watcher.ident is not None:
            self._watcher.join()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _end_group(process.pid)
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _end_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
