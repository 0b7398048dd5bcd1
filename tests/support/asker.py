"""Bare requests to the counter's page, without a browser's help."""

import http.client
import re
from urllib.parse import urlencode

from reception.counter.program import CounterProgram
from reception.testing.testbench import STAFF, STAFF_PASSWORD


class Asker:
    """Sends requests and keeps cookies."""

    def __init__(self, program: CounterProgram) -> None:
        self.port, self.cookies = program.port, dict[str, str]()
        self.headers: dict[str, str] = {}
        self.csrf = ""

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {"Accept": "text/html", "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = urlencode(form) if form is not None else None
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self.cookies[cookie] = content
        # A stream of news has no end.
        text = response.read(2000) if "event-stream" in told.get("content-type", "") else response.read()
        connection.close()
        return response.status, told, text.decode(errors="replace")

    def door(self) -> str:
        _, _, page = self.ask("GET", "/login")
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found
        return found[1]

    def log_in(self, staff: str = STAFF, password: str = STAFF_PASSWORD, **headers: str) -> int:
        status, _, _ = self.ask(
            "POST", "/login", {"csrf": self.door(), "staff": staff, "password": password}, **headers
        )
        if status == 303:
            _, _, page = self.ask("GET", "/terminals" if staff == STAFF else "/t/terminal-1")
            found = re.search(r'name="csrf" content="([^"]+)"', page)
            assert found
            self.csrf = found[1]
        return status
