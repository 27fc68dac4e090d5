"""A `sendmail` that other programs call: it hands the message to the server through its UNIX socket.

The server knows the caller by its user id, so no password is needed. If the server is not there the
message is not kept here: the exit code is EX_TEMPFAIL and the caller still has it.
"""

import os
import pwd
import re
import socket
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.mailtext import Letter, read_letter
from postroad.model import (
    Address,
    Body,
    Envelope,
    InvalidAddress,
    Notify,
    Recipient,
    Reply,
    Ret,
    parse_domain,
)
from postroad.wire.smtp import (
    DataReady,
    EndDone,
    Greeting,
    HelloDone,
    LocalProtocolError,
    Lost,
    RcptDone,
    SMTPClient,
    TransactionFailed,
)

DEFAULT_SOCKET = Path("/run/postroad/submit.sock")
MAX_OCTETS = 200 * 2**20
_RECEIVE_OCTETS = 65536
# Options of one letter that take a value, in the next argument or glued on.
_WITH_VALUE = "fFrNRVoBhpXCLAOqdD"
_IGNORED_WITH_VALUE = "oBhpXCLAOqdD"
_NAME = re.compile(r"[\x20-\x7e\u00a0-\U0010ffff]*")


class Options:
    """What was asked for on the command line."""

    def __init__(self) -> None:
        self.recipients_from_header = False
        self.dot_ends = True
        self.sender: str | None = None
        self.full_name: str | None = None
        self.mode = "m"
        self.notify = Notify.DEFAULT
        self.ret: Ret | None = None
        self.envid: str | None = None
        self.verbose = False
        self.recipients: list[str] = []


def main(argv: Sequence[str] | None = None) -> int:
    """Run sendmail; return a code of sysexits(3)."""
    try:
        options = parse(list(sys.argv[1:] if argv is None else argv))
        if options.mode == "s":
            return _speak_smtp_or_fail()
        if options.mode != "m":
            raise CommandFailed(
                f"-b{options.mode} is not supported; use postroad queue, postroad serve", Exit.USAGE
            )
        return _deliver(options)
    except CommandFailed as error:
        for line in str(error).splitlines():
            print(f"sendmail: {line}", file=sys.stderr)
        return error.code
    except InvalidAddress as error:
        print(f"sendmail: {error}", file=sys.stderr)
        return Exit.USAGE


def parse(argv: list[str]) -> Options:
    """Read the command line as sendmail does. Raises `CommandFailed`."""
    options = Options()
    waiting = list(reversed(argv))
    while waiting:
        word = waiting.pop()
        if word == "--":
            options.recipients += reversed(waiting)
            break
        if not word.startswith("-") or word == "-":
            options.recipients.append(word)
            continue
        letter, value = word[1], word[2:]
        if letter in _WITH_VALUE and not value and letter not in "od":
            if not waiting:
                raise CommandFailed(f"-{letter} needs a value", Exit.USAGE)
            value = waiting.pop()
        _set(options, letter, value, word)
    return options


def _set(options: Options, letter: str, value: str, word: str) -> None:
    match letter:
        case "t":
            options.recipients_from_header = True
        case "i":
            options.dot_ends = False
        case "o" if value.startswith("i"):
            options.dot_ends = False
        case "f" | "r":
            options.sender = value
        case "F":
            options.full_name = value
        case "b":
            options.mode = value or "m"
        case "N":
            options.notify = _notify(value)
        case "R":
            options.ret = {"full": Ret.FULL, "hdrs": Ret.HEADERS}.get(value.lower())
            if options.ret is None:
                raise CommandFailed(f"-R {value}: one of full, hdrs", Exit.USAGE)
        case "V":
            options.envid = value
        case "v":
            options.verbose = True
        case "m" | "n" | "G" | "U" | "s" | "e":
            pass  # sendmail takes these; they change nothing here
        case _ if letter in _IGNORED_WITH_VALUE:
            pass
        case _:
            raise CommandFailed(f"{word}: there is no such option", Exit.USAGE)


def _notify(value: str) -> Notify:
    words = {word.strip().upper() for word in value.split(",")}
    if words == {"NEVER"}:
        return Notify.NEVER
    chosen = Notify.DEFAULT
    for word in words:
        if word not in ("SUCCESS", "FAILURE", "DELAY"):
            raise CommandFailed(f"-N {value}: never, or of success, failure, delay", Exit.USAGE)
        chosen |= Notify[word]
    return chosen


def _deliver(options: Options) -> int:
    user = pwd.getpwuid(os.getuid())
    hostname = _hostname()
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
        envid=_xtext(options.envid) if options.envid else None,
    )
    return _submit(envelope, data, hostname, options.verbose)


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


def _xtext(text: str) -> str:
    """RFC 3461 §4."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}"
        for octet in text.encode()
    )


# The way to the server


def _settings() -> tuple[Path, str]:
    """Return socket and host name; read leniently, since any user of the machine may come here."""
    path = Path(os.environ.get("POSTROAD_CONFIG") or "/etc/postroad/postroad.toml")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        table = {}
    given = os.environ.get("POSTROAD_LISTEN__LOCAL") or table.get("listen", {}).get("local")
    name = os.environ.get("POSTROAD_SERVER__HOSTNAME") or table.get("server", {}).get("hostname")
    return Path(given or DEFAULT_SOCKET), str(name or "")


def _hostname() -> str:
    name = _settings()[1] or socket.getfqdn()
    try:
        return parse_domain(name)
    except InvalidAddress:
        return "localhost.localdomain"


def _connect() -> socket.socket:
    path = _settings()[0]
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(str(path))
    except OSError as error:
        link.close()
        raise CommandFailed(
            f"the mail server does not answer at {path}: {(error.strerror or '?').lower()}; "
            "the message was not sent, try again later (see: systemctl status postroad)",
            Exit.TEMPFAIL,
        ) from None
    return link


def _submit(envelope: Envelope, data: bytes, hostname: str, verbose: bool) -> int:
    with _connect() as link:
        machine = SMTPClient(hostname, time.monotonic())
        refused: list[tuple[int, Reply]] = []
        while True:
            event = machine.next_event()
            match event:
                case None:
                    _exchange(link, machine)
                case Greeting() if event.reply.positive:
                    machine.hello(time.monotonic())
                case HelloDone() if event.reply.positive:
                    _begin(machine, envelope, data)
                case RcptDone() if not event.reply.positive:
                    refused.append((event.index, event.reply))
                case DataReady():
                    machine.body(data, time.monotonic())
                    machine.end(time.monotonic())
                case EndDone():
                    return _result(envelope, event.reply, refused, verbose)
                case TransactionFailed() | Greeting() | HelloDone():
                    return _result(envelope, event.reply, refused, verbose)
                case Lost():
                    raise CommandFailed(
                        f"the mail server ended the connection: {event.reason}; the message may not "
                        "have been sent",
                        Exit.TEMPFAIL,
                    )
                case _:
                    pass


def _begin(machine: SMTPClient, envelope: Envelope, data: bytes) -> None:
    try:
        machine.mail(envelope, envelope.recipients, len(data), time.monotonic())
    except LocalProtocolError as error:
        raise CommandFailed(str(error), Exit.DATAERR) from None


def _exchange(link: socket.socket, machine: SMTPClient) -> None:
    """Send what is to be sent, else wait for more."""
    now = time.monotonic()
    deadline = machine.deadline()
    link.settimeout(max(0.01, deadline - now) if deadline is not None else 300.0)
    try:
        waiting = machine.bytes_to_send()
        if waiting:
            link.sendall(waiting)
            return
        received = link.recv(_RECEIVE_OCTETS)
    except TimeoutError:
        machine.time_out(time.monotonic())
        return
    except OSError:
        machine.receive_eof()
        return
    if received:
        machine.receive_data(received, time.monotonic())
    else:
        machine.receive_eof()


def _result(
    envelope: Envelope, reply: Reply, refused: list[tuple[int, Reply]], verbose: bool
) -> int:
    if reply.positive and not refused:
        if verbose:
            print(reply)
        return Exit.OK
    lines = [f"{envelope.recipients[index].address}: {said}" for index, said in refused]
    if not reply.positive and not lines:
        lines = [f"the mail server refused the message: {reply}"]
    last = refused[0][1] if refused else reply
    if last.transient:
        raise CommandFailed("\n".join(lines), Exit.TEMPFAIL)
    raise CommandFailed("\n".join(lines), Exit.NOUSER if refused else Exit.UNAVAILABLE)


def _speak_smtp_or_fail() -> int:
    try:
        return _speak_smtp()
    except OSError as error:
        text = f"the mail server ended the connection: {(error.strerror or '?').lower()}"
        raise CommandFailed(text, Exit.TEMPFAIL) from None


def _speak_smtp() -> int:
    """-bs: SMTP on standard input and output, spoken by the server itself."""
    import selectors

    with _connect() as link, selectors.DefaultSelector() as selector:
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
