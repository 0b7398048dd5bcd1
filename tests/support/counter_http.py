"""The counter's page without a browser: log in, and send its forms."""

import http.client
import json
import re
import time
from contextlib import closing
from urllib.parse import urlencode, urlsplit

from reception.testing.testbench import STAFF, STAFF_PASSWORD


class Page:
    """One login at a page with one terminal."""

    def __init__(self, url: str) -> None:
        self._port, self._cookies = urlsplit(url).port, dict[str, str]()
        form = {"csrf": self._found(r'name="csrf" value="([^"]+)"', "/login")}
        assert self._ask("POST", "/login", {**form, "staff": STAFF, "password": STAFF_PASSWORD})[0] == 303
        status, _, self._path = self._ask("GET", "/")
        assert status == 303
        self._csrf = self._found(r'name="csrf" content="([^"]+)"', self._path)

    def visit(self) -> str:
        """The visit that is on."""
        return self._found(r'name="visit" value="([^"]+)"', self._path)

    def do(self, verb: str, **form: str) -> int:
        """Send a form about the visit that is on; 200: it was done, 403: it was not."""
        sent = {"csrf": self._csrf, "visit": self.visit(), **form}
        status, body, _ = self._ask("POST", f"{self._path}/do/{verb}", sent, "application/json")
        assert status == 200, status
        return 200 if json.loads(body)["ok"] else 403

    def photo(self) -> bytes:
        """The card's photo, once it is there."""
        until = time.monotonic() + 10
        while True:
            status, body, _ = self._ask("GET", f"{self._path}/photo?visit={self.visit()}")
            if status == 200 or time.monotonic() > until:
                return body

    def _found(self, pattern: str, path: str) -> str:
        found = re.search(pattern, self._ask("GET", path)[1].decode())
        assert found, path
        return found[1]

    def _ask(
        self, method: str, path: str, form: dict[str, str] | None = None, accept: str = "text/html"
    ) -> tuple[int, bytes, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
            connection.request(
                method, path, urlencode(form) if form else None, {"Accept": accept, "Cookie": cookies}
            )
            response = connection.getresponse()
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    cookie, _, content = value.partition(";")[0].partition("=")
                    self._cookies[cookie] = content
            return response.status, response.read(), response.getheader("location", "")
