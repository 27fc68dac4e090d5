"""The text of a message: what its author wrote, for people, for searching and for scoring."""

from msgspec import Struct

from postroad.message.mime.html import links_of_html, text_of_html
from postroad.message.mime.layout import layout_of
from postroad.message.mime.message import MimeMessage

MAX_TEXT_OCTETS = 1_048_576
"""Of the texts of a message no more is decoded, if not asked for."""


class MessageText(Struct, frozen=True):
    """`text` has LF line ends; `links` are the addresses of the web in its HTML parts."""

    text: str
    links: tuple[str, ...] = ()


def text_of_message(message: MimeMessage, max_octets: int = MAX_TEXT_OCTETS) -> MessageText:
    """Return plain text where there is any, and what the HTML says where there is none."""
    texts: list[str] = []
    links: list[str] = []
    left = max_octets
    layout = layout_of(message.root)
    for part in layout.text:
        if left <= 0:
            break
        if part.media_type == "text/plain":
            text = message.body_text(part, left)
            texts.append(text)
        elif part.media_type == "text/html":
            text = message.body_text(part, left)
            texts.append(text_of_html(text))
        else:
            continue
        left -= len(text)
    left = max_octets
    for part in layout.html:
        if part.media_type == "text/html" and left > 0:
            text = message.body_text(part, left)
            links.extend(links_of_html(text))
            left -= len(text)
    return MessageText("\n".join(texts), tuple(links))
