"""Times as the API writes them."""

from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """Return seconds since 1970 as RFC 3339 has it, in UTC to the millisecond."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
