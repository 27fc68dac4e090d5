"""The grammar of commands, both ways (RFC 5321 §4.1). Each reader takes what follows the verb.

The common forms of MAIL and RCPT are read by one regular expression; all else takes the longer way,
to the same result. Readers raise `RemoteProtocolError` with the reply to send.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from postroad.model import Address, Envelope, InvalidAddress, Recipient
from postroad.wire.smtp.errors import LocalProtocolError, wrong
from postroad.wire.smtp.parameters import (
    check_line,
    read_mail_parameters,
    read_rcpt_parameters,
    write_mail_parameters,
    write_rcpt_parameters,
)

_ATOM = r"[0-9A-Za-z!#$%&'*+\-/=?^_`{|}~]+"
_LABEL = r"[0-9A-Za-z]+(?:-+[0-9A-Za-z]+)*"
_MAILBOX = rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)"
_MAIL = re.compile(rf"[Ff][Rr][Oo][Mm]:<(?:{_MAILBOX})?>(?: +([^ ].*))?")
_RCPT = re.compile(rf"[Tt][Oo]:<{_MAILBOX}>(?: +([^ ].*))?")
# Any path: a source route, which is ignored (RFC 5321 §3.6.1, appendix C), and a mailbox in which
# a quoted local part may hold angle brackets and spaces.
_PATH = re.compile(
    rf"<(?:@{_LABEL}(?:\.{_LABEL})*(?:,@{_LABEL}(?:\.{_LABEL})*)*:)?"
    r'((?:"(?:[^"\\]|\\.)*"|[^"<> @]*)(?:@[^<> ]*)?)>(?: +([^ ].*))?'
)
_HELLO_NAME = re.compile(r"[0-9A-Za-z_.-]{1,255}|\[[0-9A-Za-z.:-]{1,255}\]")
_CHUNK = re.compile(r"([0-9]{1,19})(?: +([Ll][Aa][Ss][Tt]))?")
# Beyond these the common form is checked by Address.parse (RFC 5321 §4.5.3.1, RFC 1035 §2.3.4).
_LOCAL_PART_OCTETS = 64
_LABEL_OCTETS = 63


# Few senders and recipients make most mail of a moment. A line is at most some KiB long.
@lru_cache(maxsize=512)
def read_mail(
    argument: str,
    *,
    extended: bool = True,
    auth: bool = False,
    requiretls: bool = False,
    hold: bool = False,
) -> Envelope:
    """Read ``FROM:<reverse-path> parameters``. RFC 5321 §4.1.1.2.

    `extended` says that parameters are legal (after EHLO), `auth`, `requiretls` and `hold` that
    AUTH=, REQUIRETLS, and HOLDFOR= and HOLDUNTIL= are among them.
    """
    match = _MAIL.fullmatch(argument)
    if match is not None:
        local_part, domain, text = match.groups()
        sender = None if local_part is None else _address(local_part, domain, "5.1.7")
        utf8 = False
    else:
        path, text = _read_path("MAIL FROM:", argument)
        sender = _parse(path, "5.1.7")
        utf8 = not path.isascii()
    if text is None:
        envelope = Envelope(sender)
    elif not extended:
        raise wrong(555, "5.5.4", "Parameters need EHLO first")
    else:
        fields = read_mail_parameters(text, auth=auth, requiretls=requiretls, hold=hold)
        envelope = Envelope(sender, **fields)  # type: ignore[arg-type]
    if utf8 and not envelope.smtputf8:
        raise wrong(553, "5.6.7", "This address needs the parameter SMTPUTF8")
    return envelope


@lru_cache(maxsize=512)
def read_rcpt(
    argument: str, *, hostname: str, extended: bool = True, utf8: bool = False
) -> Recipient:
    """Read ``TO:<forward-path> parameters``. RFC 5321 §4.1.1.3.

    ``<postmaster>`` is that of `hostname`. `utf8` says that MAIL had SMTPUTF8.
    """
    match = _RCPT.fullmatch(argument)
    if match is not None:
        address = _address(match[1], match[2], "5.1.3")
        text: str | None = match[3]
    else:
        path, text = _read_path("RCPT TO:", argument)
        if path.lower() == "postmaster":
            address = Address("postmaster", hostname.lower())
        else:
            address = _parse(path, "5.1.3")
        if not (utf8 or path.isascii()):
            raise wrong(553, "5.6.7", "This address needs SMTPUTF8 in MAIL")
    if text is None:
        return Recipient(address)
    if not extended:
        raise wrong(555, "5.5.4", "Parameters need EHLO first")
    return Recipient(address, *read_rcpt_parameters(text, utf8=utf8))


def _address(local_part: str, domain: str, enhanced: str) -> Address:
    if len(local_part) > _LOCAL_PART_OCTETS or len(domain) > _LABEL_OCTETS:
        return _parse(f"{local_part}@{domain}", enhanced)
    return Address(local_part, domain.lower())


def _parse(path: str, enhanced: str) -> Address:
    try:
        return Address.parse(path)
    except InvalidAddress as error:
        raise wrong(501, enhanced, _printable(f"Bad address: {error}")) from None


def _read_path(head: str, argument: str) -> tuple[str, str | None]:
    """Return path and parameters of an argument that is not in the common form."""
    keyword = head.split()[1]
    if argument[: len(keyword)].upper() != keyword:
        raise wrong(501, "5.5.4", f"Say {head}<address>")
    rest = argument[len(keyword) :]
    match = _PATH.fullmatch(rest)
    if match is not None:
        return match[1], match[2]
    if rest.startswith(" "):
        raise wrong(501, "5.5.4", f"There is no space after {head}")
    if not rest.startswith("<"):
        raise wrong(501, "5.5.4", f"The address goes in angle brackets: {head}<address>")
    raise wrong(501, "5.1.7" if keyword == "FROM:" else "5.1.3", "This is no address")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def read_hello(argument: str) -> str:
    """Read the name after EHLO, HELO or LHLO: a domain or address literal. RFC 5321 §4.1.1.1.

    Underscores pass, for too many hosts have them; what could break a header field does not.
    """
    if not _HELLO_NAME.fullmatch(argument):
        raise wrong(501, "5.5.4", "Say your host name")
    return argument


def read_chunk(argument: str) -> tuple[int, bool]:
    """Read ``size [LAST]`` after BDAT. RFC 3030 §2."""
    match = _CHUNK.fullmatch(argument)
    if match is None:
        raise wrong(501, "5.5.4", "BDAT takes a number of octets, and LAST")
    return int(match[1]), match[2] is not None


def write_mail(
    envelope: Envelope, size: int | None, *, utf8: bool = False, extensions: Collection[str] = ()
) -> bytes:
    """Return the MAIL line. RFC 5321 §4.1.1.2."""
    path = "" if envelope.sender is None else str(envelope.sender)
    parameters = write_mail_parameters(envelope, size, utf8=utf8, extensions=extensions)
    return check_line(f"MAIL FROM:<{path}>{parameters}")


def write_rcpt(recipient: Recipient, *, extensions: Collection[str] = ()) -> bytes:
    """Return the RCPT line. RFC 5321 §4.1.1.3."""
    parameters = write_rcpt_parameters(recipient, extensions=extensions)
    return check_line(f"RCPT TO:<{recipient.address}>{parameters}")


def write_hello(verb: str, hostname: str) -> bytes:
    """Return the EHLO, HELO or LHLO line. Raises `LocalProtocolError` for what is no name."""
    if not _HELLO_NAME.fullmatch(hostname):
        raise LocalProtocolError(f"{hostname!r} is no host name to say in {verb}")
    return check_line(f"{verb} {hostname}")
