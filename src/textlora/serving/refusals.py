"""The answers that are no answers."""

from __future__ import annotations


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        kind: one word for programs, as text-embeddings-inference has them.
        problem: what is wrong, and what to do about it; never a text of the request.
        retry_after: seconds after which another try makes sense.
    """

    def __init__(
        self, status: int, kind: str, problem: str, retry_after: int | None = None
    ) -> None:
        self.status = status
        self.kind = kind
        self.problem = problem
        self.retry_after = retry_after
        super().__init__(problem)

    @property
    def body(self) -> dict[str, str]:
        """What is sent."""
        return {"error": self.problem, "error_type": self.kind}

    @property
    def headers(self) -> dict[str, str]:
        """What is sent beside it."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def invalid(problem: str) -> RefusedError:
    """Return the refusal of a request that can be read and not be answered."""
    return RefusedError(422, "validation", problem)
