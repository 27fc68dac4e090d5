"""The parameters of MAIL and RCPT, both ways: text to envelope values and back.

Each reader raises `RemoteProtocolError` with the reply that says what is wrong.
"""

import re
from collections.abc import Collection, Mapping

from postroad.model import Body, Envelope, Notify, Recipient, Ret
from postroad.wire.smtp.errors import LocalProtocolError, wrong
from postroad.wire.smtp.hold import read_hold_for, read_hold_until
from postroad.wire.smtp.xtext import InvalidXtext, decode_xtext

ENVID_MAX_OCTETS = 100  # RFC 3461 §4.4
ORCPT_MAX_OCTETS = 500  # RFC 3461 §4.2

# RFC 5321 §4.1.2 esmtp-param, with the UTF-8 that RFC 6531 §3.3 allows in values
_PARAMETER = re.compile(r"([0-9A-Za-z][0-9A-Za-z-]*)(?:=([!-<>-~\u00a0-\U0010ffff]+))?")
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 §4
_ADDR_TYPE = re.compile(r"[0-9A-Za-z!#$%&'*\-/?^_`{|}~.]+")
# RFC 6533 §3: for addr-type utf-8, characters beyond xtext come as \x{HEX} or, with SMTPUTF8, bare
_UTF8_ADDRESS = re.compile(
    r"(?:[!-*,-<>-\[\]-~]|\\x\{(?:[1-9A-F][0-9A-F]{1,5})\}|[\u00a0-\U0010ffff])+"
)
_NOTIFY = {
    "NEVER": Notify.NEVER,
    "SUCCESS": Notify.SUCCESS,
    "FAILURE": Notify.FAILURE,
    "DELAY": Notify.DELAY,
}


# A member of an enum is looked up by Python code (3.11); a name of the module is not.
_SEVEN_BIT, _EIGHT_BIT_MIME, _BINARY_MIME = Body.SEVEN_BIT, Body.EIGHT_BIT_MIME, Body.BINARY_MIME
_DEFAULT = Notify.DEFAULT


def split_parameters(text: str) -> dict[str, str | None]:
    """Return keyword (upper case) and value of each parameter. RFC 5321 §4.1.1.11."""
    parameters: dict[str, str | None] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise wrong(501, "5.5.4", f"This is no parameter: {word}")
        keyword = match[1].upper()
        if keyword in parameters:
            raise wrong(501, "5.5.4", f"{keyword} comes twice")
        parameters[keyword] = match[2]
    return parameters


def read_mail_parameters(
    text: str, *, auth: bool, requiretls: bool = False, hold: bool = False
) -> dict[str, object]:
    """Return the fields of `Envelope` that the parameters of MAIL set.

    HOLDFOR= and HOLDUNTIL= (RFC 4865) are known where `hold` is offered, one of them at a time.

    REQUIRETLS (RFC 8689 §2) is known only where it is offered, which is under TLS.

    AUTH= (RFC 4954 §5) is known only where `auth` is offered; we trust no client's word for who
    wrote a message, so its value is checked and left.
    """
    fields: dict[str, object] = {}
    for keyword, value in split_parameters(text).items():
        if keyword == "SIZE":
            if value is None or not _SIZE.fullmatch(value):
                raise wrong(501, "5.5.4", "SIZE takes a number of octets")
            fields["size"] = int(value)
        elif keyword == "BODY":
            fields["body"] = _read_body(value)
        elif keyword == "SMTPUTF8":
            if value is not None:
                raise wrong(501, "5.5.4", "SMTPUTF8 takes no value")
            fields["smtputf8"] = True
        elif keyword == "RET":
            try:
                fields["ret"] = Ret((value or "").upper())
            except ValueError:
                raise wrong(501, "5.5.4", "RET is FULL or HDRS") from None
        elif keyword == "ENVID":
            fields["envid"] = _read_xtext(keyword, value, ENVID_MAX_OCTETS)
        elif keyword == "REQUIRETLS" and requiretls:
            if value is not None:
                raise wrong(501, "5.5.4", "REQUIRETLS takes no value")
            fields["requiretls"] = True
        elif keyword in ("HOLDFOR", "HOLDUNTIL") and hold:
            if "hold_for" in fields or "hold_until" in fields:
                raise wrong(501, "5.5.4", "HOLDFOR and HOLDUNTIL exclude each other")
            if keyword == "HOLDFOR":
                fields["hold_for"] = read_hold_for(value)
            else:
                fields["hold_until"] = read_hold_until(value)
        elif keyword == "AUTH" and auth:
            if value != "<>":
                _read_xtext(keyword, value, ORCPT_MAX_OCTETS)
        else:
            raise wrong(555, "5.5.4", f"{keyword} is not offered here")
    return fields


def read_rcpt_parameters(text: str, *, utf8: bool) -> tuple[Notify, str | None]:
    """Return what NOTIFY= and ORCPT= of RCPT say. RFC 3461 §4.1, §4.2."""
    notify, orcpt = _DEFAULT, None
    for keyword, value in split_parameters(text).items():
        if keyword == "NOTIFY":
            notify = _read_notify(value)
        elif keyword == "ORCPT":
            orcpt = _read_orcpt(value, utf8=utf8)
        else:
            raise wrong(555, "5.5.4", f"{keyword} is not offered here")
    return notify, orcpt


def _read_body(value: str | None) -> Body:
    if value is not None and value.upper() == "7BIT":
        return _SEVEN_BIT
    if value is not None and value.upper() == "8BITMIME":
        return _EIGHT_BIT_MIME
    # RFC 3030 §3: BINARYMIME is not offered, for lines are what DATA, POP3 and DKIM live on.
    raise wrong(555, "5.5.4", "BODY is 7BIT or 8BITMIME")


def _read_notify(value: str | None) -> Notify:
    notify = _DEFAULT
    for word in (value or "").upper().split(","):
        if word not in _NOTIFY:
            raise wrong(501, "5.5.4", "NOTIFY is NEVER, or a list of SUCCESS, FAILURE, DELAY")
        notify |= _NOTIFY[word]
    if Notify.NEVER in notify and notify is not Notify.NEVER:
        raise wrong(501, "5.5.4", "NOTIFY=NEVER stands alone")
    return notify


def _read_orcpt(value: str | None, *, utf8: bool) -> str:
    kind, _, address = (value or "").partition(";")
    if value is None or len(value.encode()) > ORCPT_MAX_OCTETS or not _ADDR_TYPE.fullmatch(kind):
        raise wrong(501, "5.5.4", f"ORCPT is type;address in {ORCPT_MAX_OCTETS} octets")
    if kind.lower() == "utf-8":
        if not _UTF8_ADDRESS.fullmatch(address) or not (utf8 or address.isascii()):
            raise wrong(501, "5.5.4", "ORCPT=utf-8; is not encoded as RFC 6533 has it")
        return value
    if not address:
        raise wrong(501, "5.5.4", "ORCPT has no address")
    # Postfix writes internationalised addresses as type rfc822 with the octets of UTF-8 in xtext.
    _read_xtext("ORCPT", address, ORCPT_MAX_OCTETS, utf8=True)
    return value


def _read_xtext(keyword: str, value: str | None, limit: int, *, utf8: bool = False) -> str:
    if value is None or len(value) > limit:
        raise wrong(501, "5.5.4", f"{keyword} takes xtext of 1 to {limit} octets")
    try:
        decode_xtext(value, utf8=utf8)
    except InvalidXtext:
        raise wrong(501, "5.5.4", f"{keyword} is no xtext of printable characters") from None
    return value


def write_mail_parameters(
    envelope: Envelope, size: int | None, *, utf8: bool, extensions: Collection[str]
) -> str:
    """Return the parameters of MAIL, each with a space before it, as far as `extensions` allow.

    `size` is the message's, in octets; `utf8` says that it needs SMTPUTF8.
    """
    text = ""
    if size is not None and "SIZE" in extensions:
        text += f" SIZE={size}"
    if envelope.body is _EIGHT_BIT_MIME and "8BITMIME" in extensions:
        text += " BODY=8BITMIME"
    elif envelope.body is _BINARY_MIME and "BINARYMIME" in extensions:
        text += " BODY=BINARYMIME"
    if utf8:
        text += " SMTPUTF8"
    if envelope.requiretls and "REQUIRETLS" in extensions:
        text += " REQUIRETLS"
    if "DSN" in extensions:
        if envelope.ret is not None:
            text += f" RET={envelope.ret.value}"
        if envelope.envid is not None:
            text += f" ENVID={_one_word(envelope.envid)}"
    return text


def write_rcpt_parameters(recipient: Recipient, *, extensions: Collection[str]) -> str:
    """Return the parameters of RCPT, each with a space before it, as far as `extensions` allow."""
    if "DSN" not in extensions:
        return ""
    text = ""
    if recipient.notify is not _DEFAULT:
        words = ",".join(word for word, flag in _NOTIFY.items() if recipient.notify & flag)
        text += f" NOTIFY={words}"
    if recipient.orcpt is not None:
        text += f" ORCPT={_one_word(recipient.orcpt)}"
    return text


def _one_word(value: str) -> str:
    if not _PARAMETER.fullmatch(f"X={value}"):
        raise LocalProtocolError(f"{value!r} cannot be the value of a parameter")
    return value


def read_extensions(lines: list[str]) -> Mapping[str, str]:
    """Return keyword (upper case) and parameters of each line of an EHLO answer but its first.

    RFC 5321 §4.1.1.1. The ``AUTH=LOGIN`` of old servers is read as AUTH where no such line is.
    """
    extensions: dict[str, str] = {}
    for line in lines:
        keyword, _, values = line.strip().partition(" ")
        if keyword[:5].upper() == "AUTH=":
            extensions.setdefault("AUTH", f"{keyword[5:]} {values}".strip())
        elif keyword and not (keyword.upper() == "AUTH" and not values):
            extensions[keyword.upper()] = values.strip()
    return extensions


def check_line(line: str) -> bytes:
    """Return a command line as it is sent. Raises `LocalProtocolError` on what would break it."""
    if not line.isprintable() and any(ord(letter) < 32 or ord(letter) == 127 for letter in line):
        raise LocalProtocolError(f"control character in command {line[:60]!r}")
    return f"{line}\r\n".encode()
