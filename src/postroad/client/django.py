"""An e-mail backend for Django, by the HTTP API::

    EMAIL_BACKEND = "postroad.client.django.EmailBackend"
    POSTROAD_URL = "https://mail.example.org"
    POSTROAD_API_KEY = "..."

Optional: `POSTROAD_STREAM`, `POSTROAD_TIMEOUT_SECONDS`. A message's field ``Idempotency-Key`` in its
`extra_headers` is its key. With `fail_silently`, what the server refuses is counted as not sent.
"""

import re
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

from postroad.client.errors import PostroadError
from postroad.client.sync import Client

_LINE_END = re.compile(rb"\r\n|\r|\n")
_KEY = "Idempotency-Key"


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]
    """Django calls this. Raises `PostroadError`, and ValueError for what cannot be asked."""

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(fail_silently=fail_silently, **options)
        self._client: Client | None = None

    def open(self) -> bool:
        """Make a client, unless there is one; return whether it was made."""
        if self._client is not None:
            return False
        self._client = Client(
            settings.POSTROAD_URL,
            settings.POSTROAD_API_KEY,
            timeout_seconds=getattr(settings, "POSTROAD_TIMEOUT_SECONDS", 30.0),
        )
        return True

    def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """Send each message that has recipients; return how many were."""
        made = self.open()
        assert self._client is not None
        try:
            return sum(self._send(self._client, each) for each in email_messages)
        finally:
            if made:
                self.close()

    def _send(self, client: Client, email: Any) -> bool:
        recipients = [parseaddr(each)[1] for each in email.recipients()]
        if not recipients:
            return False
        built = email.message()
        key = built[_KEY]
        del built[_KEY]
        data = _LINE_END.sub(b"\r\n", built.as_bytes())
        try:
            client.send_raw(
                data,
                parseaddr(email.from_email or settings.DEFAULT_FROM_EMAIL)[1],
                recipients,
                stream=getattr(settings, "POSTROAD_STREAM", None),
                key=None if key is None else str(key),
            )
        except PostroadError:
            if not self.fail_silently:
                raise
            return False
        return True
