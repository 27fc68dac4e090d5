"""Which parts of a message are its text, and which are attachments (RFC 8621 §4.1.4)."""

from msgspec import Struct

from postroad.message.mime.part import Part

_SHOWN = ("image/", "audio/", "video/")
_TEXTS = frozenset({"text/plain", "text/html"})


class Layout(Struct, frozen=True):
    """`text` is what is shown where plain text is preferred, `html` where HTML is; both in order.
    `attachments` is all else.
    """

    text: tuple[Part, ...]
    html: tuple[Part, ...]
    attachments: tuple[Part, ...]


def layout_of(root: Part) -> Layout:
    """Sort the leaves of a message. Messages that are attached stay closed."""
    sorting = _Sorting()
    sorting.sort([root], "mixed", False, True, True)
    return Layout(tuple(sorting.text), tuple(sorting.html), tuple(sorting.attachments))


class _Sorting:
    def __init__(self) -> None:
        self.text: list[Part] = []
        self.html: list[Part] = []
        self.attachments: list[Part] = []

    def sort(
        self, parts: list[Part], kind: str, alternative: bool, to_text: bool, to_html: bool
    ) -> None:
        """As the RFC has it; the depth of the recursion is that of the parts, which is bounded."""
        texts, htmls = len(self.text), len(self.html)
        for index, part in enumerate(parts):
            media_type = part.media_type
            inline = (
                part.disposition.value != "attachment"
                and (media_type in _TEXTS or media_type.startswith(_SHOWN))
                and (
                    index == 0
                    or (kind != "related" and (media_type.startswith(_SHOWN) or not part.filename))
                )
            )
            if media_type.startswith("multipart/") and part.children:
                inner = media_type.partition("/")[2]
                is_choice = alternative or inner == "alternative"
                self.sort(list(part.children), inner, is_choice, to_text, to_html)
            elif not inline:
                self.attachments.append(part)
            elif kind == "alternative":
                self._of_type(media_type).append(part)
            else:
                if alternative:
                    to_text = to_text and media_type != "text/html"
                    to_html = to_html and media_type != "text/plain"
                if to_text:
                    self.text.append(part)
                if to_html:
                    self.html.append(part)
                if not (to_text and to_html) and media_type.startswith(_SHOWN):
                    self.attachments.append(part)
        if kind == "alternative" and to_text and to_html:
            if texts == len(self.text) and htmls != len(self.html):
                self.text.extend(self.html[htmls:])
            elif htmls == len(self.html) and texts != len(self.text):
                self.html.extend(self.text[texts:])

    def _of_type(self, media_type: str) -> list[Part]:
        if media_type == "text/plain":
            return self.text
        return self.html if media_type == "text/html" else self.attachments
