"""Reading MIME (RFC 2045 to 2049, 2231): parts by offsets, texts, fields, addresses.

Import from here: ``from postroad.message.mime import MimeMessage``. All of it is lenient, takes any
bytes, never raises, and takes time that grows as the message does; what is bounded says so by a name in
capitals.
"""

from postroad.message.mime.addresses import MAX_ADDRESSES, NamedAddress, addresses_of
from postroad.message.mime.html import links_of_html, text_of_html
from postroad.message.mime.layout import Layout, layout_of
from postroad.message.mime.message import MimeMessage
from postroad.message.mime.part import Part
from postroad.message.mime.structure import MAX_DEPTH, MAX_PARTS, read_structure
from postroad.message.mime.text import MAX_TEXT_OCTETS, MessageText, text_of_message
from postroad.message.mime.words import text_of

__all__ = [
    "MAX_ADDRESSES",
    "MAX_DEPTH",
    "MAX_PARTS",
    "MAX_TEXT_OCTETS",
    "Layout",
    "MessageText",
    "MimeMessage",
    "NamedAddress",
    "Part",
    "addresses_of",
    "layout_of",
    "links_of_html",
    "read_structure",
    "text_of",
    "text_of_html",
    "text_of_message",
]
