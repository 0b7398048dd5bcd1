"""How the server says no."""

from consent import wire


class Refusal(Exception):
    """A request is refused, with HTTP status, code and words without any of its content."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.answer = wire.ErrorAnswer(code=code, message=message)

    @property
    def code(self) -> str:
        return self.answer.code
