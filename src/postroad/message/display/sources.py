"""Where the pictures of a message are shown from: only from places of ours."""

import re
from collections.abc import Callable

MAX_PICTURES = 1_000
"""Of one message; further ones are not shown."""

_REMOTE = re.compile(r"(?:https?:)?//[ -~\x80-\U0010ffff]{1,2000}", re.IGNORECASE)
_BLANKS = re.compile(r"[\t\r\n]")


class Sources:
    """Says for each picture where it is shown from.

    `part(content_id)` returns the address of a part of the message, None where there is none; `remote`
    is the same for addresses of the web, or None as long as nobody asked for these. `remote_pictures`
    counts those that are somewhere else in the web.
    """

    def __init__(
        self,
        part: Callable[[str], str | None] = lambda _: None,
        remote: Callable[[str], str | None] | None = None,
    ) -> None:
        self._part = part
        self._remote = remote
        self._left = MAX_PICTURES
        self.remote_pictures = 0

    def of(self, url: str, *, decoration: bool = False) -> str | None:
        """Return the address to show a picture from, None where it is not shown. `decoration`: it is
        only a background.
        """
        url = _BLANKS.sub("", url).strip(" ")  # as browsers do
        if url[:4].lower() == "cid:":
            return self._counted(self._part(url[4:]))
        if _REMOTE.fullmatch(url) is None:
            return None
        self.remote_pictures += 1
        if self._remote is None:
            return None
        return self._counted(self._remote(url if url[:2] != "//" else f"https:{url}"))

    def _counted(self, shown: str | None) -> str | None:
        if shown is None or self._left <= 0:
            return None
        self._left -= 1
        return shown
