"""Why a question to the eligibility server has no answer."""


class EligibilityError(Exception):
    """The server could not be asked, or did not do what was asked."""


class Unreachable(EligibilityError):
    """No connection, a connection that broke, or a server in trouble (5xx, 429)."""


class Untrusted(Unreachable):
    """Terminal and server did not come to trust each other (TLS); ``str()`` says which certificate was not taken."""


class TimedOut(EligibilityError):
    """The server did not answer in time."""


class Refused(EligibilityError):
    """The server understood and said no; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the eligibility server refused: {code}")
        self.code = code


class BadAnswer(EligibilityError):
    """The server's answer is not what it should be."""


class Untellable(BadAnswer):
    """The answer came as it should, and says what no file can hold; asking again brings the same."""
