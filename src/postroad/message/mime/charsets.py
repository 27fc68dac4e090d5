"""From octets to text, whatever charset they claim to be in (RFC 2046 §4.1.2).

A charset that is unknown, or not what the text is in, is not an error: UTF-8 is tried, and what is not
that is read as windows-1252, in which every octet is something. Names are only looked up in a list that
is fixed at import: Python's own look-up remembers every name that it is asked for, for ever.
"""

import codecs
import re
from encodings.aliases import aliases

_NAMES_MAX = 40
_SEPARATORS = re.compile("[^a-z0-9]+")

# What people write is not always what they mean: these are the larger sets that mail is really in.
_MEANT = {
    "ascii": "cp1252",
    "latin_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
_OTHER_NAMES = {
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "x_sjis": "cp932",
    "x_gbk": "gb18030",
    "x_big5": "big5hkscs",
    "x_unicode_2_0_utf_7": "utf_7",
    "unicode_1_1_utf_7": "utf_7",
    "x_mac_roman": "mac_roman",
    "x_unknown": "cp1252",
    "unknown_8bit": "cp1252",
    "ks_c_5601_1987": "cp949",
    "koi8r": "koi8_r",
    "utf8mb4": "utf_8",
}
# Not charsets, or slow, or of the machine that we happen to run on.
_REFUSED = {"idna", "punycode", "mbcs", "oem", "undefined", "unicode_escape", "raw_unicode_escape"}


def _known() -> dict[str, str]:
    known: dict[str, str] = {}
    for alias, codec in [*aliases.items(), *((name, name) for name in set(aliases.values()))]:
        if codec in _REFUSED or not codecs.lookup(codec)._is_text_encoding:
            continue
        known[_SEPARATORS.sub("_", alias)] = _MEANT.get(codec, codec)
    known.update(_OTHER_NAMES)
    for codec in ("utf_8", "utf_7", "utf_16", "utf_32", "koi8_r", "koi8_u", "cp874"):
        known.setdefault(codec, codec)
    return known


def _codec_of(alias: str) -> bool:
    try:
        codecs.lookup(alias)
    except LookupError:
        return False
    return True


_CODECS = {name: codec for name, codec in _known().items() if _codec_of(codec)}


def codec_of(charset: str) -> str | None:
    """Return Python's name for what mail of a charset is decoded by, None where it is unknown."""
    if len(charset) > _NAMES_MAX:
        return None
    return _CODECS.get(_SEPARATORS.sub("_", charset.lower()).strip("_"))


def decode(data: bytes, charset: str = "") -> str:
    """Return the text; what cannot be read in a known charset shows as U+FFFD. Never raises."""
    codec = codec_of(charset) if charset else None
    if codec is None or codec in ("cp1252", "utf_8"):
        # What claims to be ASCII or Latin-1 but reads as UTF-8 is UTF-8.
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            codec = codec or "cp1252"
    if codec == "cp1252":
        return codecs.charmap_decode(data, "strict", _WINDOWS_1252)[0]
    try:
        return data.decode(codec, "replace")
    except (UnicodeError, ValueError):  # a few codecs raise whatever they are told to do
        return codecs.charmap_decode(data, "strict", _WINDOWS_1252)[0]


def _windows_1252() -> str:
    letters = []
    for octet in range(256):
        try:
            letters.append(bytes([octet]).decode("cp1252"))
        except UnicodeDecodeError:
            letters.append(chr(octet))
    return "".join(letters)


_WINDOWS_1252 = _windows_1252()
