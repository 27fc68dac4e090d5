"""A `sendmail` that other programs call: it hands the message to the server through its UNIX socket.

The server knows the caller by its user id, so no password is needed. If the server is not there the
message is not kept here: the exit code is EX_TEMPFAIL and the caller still has it.
"""

import os
import pwd
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.mailtext import Letter, read_letter
from postroad.cli.sendmail_options import Options, parse
from postroad.model import Address, Body, Envelope, InvalidAddress, Recipient, Reply
from postroad.wire.smtp.xtext import InvalidXtext, encode_xtext

MAX_OCTETS = 200 * 2**20
_RECEIVE_OCTETS = 65536
_PATIENCE_SECONDS = 300.0  # RFC 5321 §4.5.3.2: as long as any answer may take
_NAME = re.compile(r"[\x20-\x7e\u00a0-\U0010ffff]*")


def main(argv: Sequence[str] | None = None) -> int:
    """Run sendmail; return a code of sysexits(3)."""
    try:
        options = parse(list(sys.argv[1:] if argv is None else argv))
        if options.mode == "s":
            return _speak_smtp_or_fail(Place.of(options.config).path)
        if options.mode != "m":
            raise CommandFailed(
                f"-b{options.mode} is not supported; use postroad queue, postroad serve", Exit.USAGE
            )
        return _deliver(options)
    except CommandFailed as error:
        for line in str(error).splitlines():
            print(f"sendmail: {line}", file=sys.stderr)
        return error.code
    except (InvalidAddress, InvalidXtext) as error:
        print(f"sendmail: {error}", file=sys.stderr)
        return Exit.USAGE


def _deliver(options: Options) -> int:
    user = pwd.getpwuid(os.getuid())
    place = Place.of(options.config)
    hostname = place.origin
    raw = _read_input(options.dot_ends)
    letter = read_letter(raw)
    texts = list(options.recipients)
    if options.recipients_from_header:
        texts += letter.recipients()
        letter.remove("bcc", "resent-bcc")
    if not texts:
        raise CommandFailed("no recipients; name them, or use -t with To, Cc or Bcc", Exit.USAGE)
    recipients = tuple(dict.fromkeys(_address(text, hostname) for text in texts))
    sender = _sender(options.sender, user.pw_name, hostname)
    _complete(letter, options, user, sender or Address(user.pw_name, hostname))
    data = letter.to_bytes()
    everyone = recipients if sender is None else (*recipients, sender)
    envelope = Envelope(
        sender=sender,
        recipients=tuple(Recipient(each, options.notify) for each in recipients),
        body=Body.SEVEN_BIT if data.isascii() else Body.EIGHT_BIT_MIME,
        smtputf8=not all(each.is_ascii for each in everyone),
        ret=options.ret,
        envid=encode_xtext(options.envid) if options.envid else None,
    )
    return _submit(place, envelope, data, options.verbose)


def _read_input(dot_ends: bool) -> bytes:
    """Read standard input up to a line with one dot (unless -i), or its end."""
    data = sys.stdin.buffer.read(MAX_OCTETS + 1)
    if len(data) > MAX_OCTETS:
        raise CommandFailed(f"the message has more than {MAX_OCTETS} octets", Exit.DATAERR)
    if dot_ends:
        if data.startswith((b".\n", b".\r\n")):
            return b""
        end = re.search(rb"\n\.\r?\n", data)
        if end:
            return data[: end.start() + 1]
    return data


def _complete(letter: Letter, options: Options, user: pwd.struct_passwd, sender: Address) -> None:
    """From, as sendmail adds it; Date and Message-ID are the server's to add."""
    if not letter.has("from"):
        name = options.full_name
        if name is None:
            name = user.pw_gecos.split(",")[0].replace("&", user.pw_name.capitalize())
        if not _NAME.fullmatch(name):
            raise CommandFailed("-F: the name holds a control character", Exit.USAGE)
        letter.add("From", f"{_display_name(name)} <{sender}>" if name else str(sender))


def _display_name(name: str) -> str:
    from email.header import Header

    if not name.isascii():
        return Header(name, "utf-8").encode()
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _sender(text: str | None, user: str, hostname: str) -> Address | None:
    if text is None:
        return Address(user, hostname)
    return None if text.strip() in ("", "<>") else _address(text, hostname)


def _address(text: str, hostname: str) -> Address:
    """A name without a domain is one of this machine's."""
    text = text.strip().removeprefix("<").removesuffix(">")
    return Address.parse(text if "@" in text else f"{text}@{hostname}")


# The way to the server


class Place(Struct, frozen=True):
    """Where the server listens, its name, and the domain of names without one."""

    path: Path | None
    hostname: str
    origin: str

    @classmethod
    def of(cls, given: Path | None) -> "Place":
        """Ask the configuration; the usual place where there is none that this user may read.

        Raises `CommandFailed` where the file that was named is no use.
        """
        from postroad.runtime.config import Config, ConfigInvalid, config_path, load_config
        from postroad.runtime.stranger import own_name

        named = given is not None or bool(os.environ.get("POSTROAD_CONFIG"))
        if named or os.access(config_path(), os.R_OK):
            try:
                server, listen = (config := load_config(given)).server, config.listen
            except ConfigInvalid as error:
                raise CommandFailed(str(error), Exit.CONFIG) from None
        else:
            config = Config.model_validate({"server": {"hostname": own_name()}})
            server, listen = config.server, config.listen
        return cls(listen.local, server.hostname, server.origin or server.hostname)


def _submit(place: Place, envelope: Envelope, data: bytes, verbose: bool) -> int:
    from postroad.ports import ConnectFailed
    from postroad.runtime.lifecycle import run
    from postroad.runtime.sender import SendFailed, Server, send

    path = _path(place.path)
    server = Server("", 0, "none", path=path)
    try:
        sent = run(
            send(
                server,
                envelope,
                data,
                hostname=place.hostname,
                timeout_seconds=_PATIENCE_SECONDS,
            )
        )
    except ConnectFailed as error:
        raise _no_answer(path, error.reason) from None
    except SendFailed as error:
        if error.refused:
            raise _refusal(error.refused) from None
        later = error.reply is None or error.reply.transient
        raise CommandFailed(str(error), Exit.TEMPFAIL if later else Exit.UNAVAILABLE) from None
    refused = [(address, reply) for address, reply in sent.recipients if not reply.positive]
    if refused:
        raise _refusal(refused)
    if verbose:
        print(sent.reply)
    return Exit.OK


def _path(path: Path | None) -> Path:
    if path is None:
        raise CommandFailed(
            "the mail server takes no mail by a local socket: listen.local is empty", Exit.CONFIG
        )
    return path


def _refusal(refused: Sequence[tuple[str, Reply]]) -> CommandFailed:
    text = "\n".join(f"{address}: {reply}" for address, reply in refused)
    later = all(reply.transient for _, reply in refused)
    return CommandFailed(text, Exit.TEMPFAIL if later else Exit.NOUSER)


def _no_answer(path: Path, reason: str) -> CommandFailed:
    return CommandFailed(
        f"the mail server does not answer at {path}: {reason}; "
        "the message was not sent, try again later (see: systemctl status postroad)",
        Exit.TEMPFAIL,
    )


def _connect(path: Path) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(str(path))
    except OSError as error:
        link.close()
        raise _no_answer(path, (error.strerror or "?").lower()) from None
    return link


def _speak_smtp_or_fail(path: Path | None) -> int:
    try:
        return _speak_smtp(_path(path))
    except OSError as error:
        text = f"the mail server ended the connection: {(error.strerror or '?').lower()}"
        raise CommandFailed(text, Exit.TEMPFAIL) from None


def _speak_smtp(path: Path) -> int:
    """-bs: SMTP on standard input and output, spoken by the server itself."""
    import selectors

    with _connect(path) as link, selectors.DefaultSelector() as selector:
        selector.register(link, selectors.EVENT_READ)
        try:
            selector.register(0, selectors.EVENT_READ)
        except PermissionError:  # a file is always readable, and cannot be waited for
            link.sendall(sys.stdin.buffer.read())
            link.shutdown(socket.SHUT_WR)
        while True:
            for key, _ in selector.select():
                if key.fileobj is link:
                    data = link.recv(_RECEIVE_OCTETS)
                    if not data:
                        return Exit.OK
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                elif typed := os.read(0, _RECEIVE_OCTETS):
                    link.sendall(typed)
                else:
                    selector.unregister(0)
                    link.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    sys.exit(main())
