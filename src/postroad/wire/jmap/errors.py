"""What is answered where something cannot be done, on the three levels that JMAP has (RFC 8620 §3.6).

Exception
├── RequestError    the whole request, as problem details (RFC 7807), with an HTTP status
├── MethodError     one method call
└── SetError        one object of a ``/set``, ``/import`` or ``/copy``
"""

from typing import Any


class RequestError(Exception):
    """Nothing of a request was done. `kind` is without ``urn:ietf:params:jmap:error:``; `limit` names
    the limit that it goes beyond.
    """

    def __init__(self, kind: str, detail: str, limit: str = "", status: int = 400) -> None:
        super().__init__(detail)
        self.kind = kind
        self.limit = limit
        self.status = status

    def to_json(self) -> dict[str, Any]:
        """Return the problem details (RFC 8620 §3.6.1)."""
        problem: dict[str, Any] = {
            "type": f"urn:ietf:params:jmap:error:{self.kind}",
            "status": self.status,
            "detail": str(self),
        }
        if self.limit:
            problem["limit"] = self.limit
        return problem


class MethodError(Exception):
    """A method call was not done (RFC 8620 §3.6.2)."""

    def __init__(self, kind: str, description: str = "", **more: Any) -> None:
        super().__init__(description or kind)
        self.kind = kind
        self.description = description
        self.more = more

    def to_json(self) -> dict[str, Any]:
        """Return the arguments of the ``error`` response."""
        found = {"type": self.kind, **self.more}
        if self.description:
            found["description"] = self.description
        return found


class SetError(Exception):
    """One object was not made, changed or destroyed (RFC 8620 §5.3)."""

    def __init__(
        self, kind: str, description: str = "", properties: tuple[str, ...] = (), **more: Any
    ) -> None:
        super().__init__(description or kind)
        self.kind = kind
        self.description = description
        self.properties = properties
        self.more = more

    def to_json(self) -> dict[str, Any]:
        """Return the SetError object."""
        found: dict[str, Any] = {"type": self.kind, **self.more}
        if self.description:
            found["description"] = self.description
        if self.properties:
            found["properties"] = list(self.properties)
        return found


def invalid(description: str, *properties: str) -> SetError:
    """Return the error of an object that cannot be so."""
    return SetError("invalidProperties", description, properties)
