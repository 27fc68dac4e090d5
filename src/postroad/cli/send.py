"""``postroad send``: hand a message to any server, and watch."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, complain, print_json, print_line

if TYPE_CHECKING:
    from postroad.model import Envelope
    from postroad.runtime.sender import Sent, Server


def send(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The message, RFC 5322; - is standard input.")
    ],
    sender: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="Envelope sender; '' for none.")
    ],
    recipients: Annotated[
        list[str], typer.Option("--to", metavar="ADDRESS", help="Recipient (repeat).")
    ],
    server: Annotated[
        str,
        typer.Option("--server", metavar="HOST[:PORT]", help="Port 587, or 465 with implicit TLS."),
    ] = "localhost",
    tls: Annotated[
        str, typer.Option("--tls", metavar="starttls|implicit|none", help="How to encrypt.")
    ] = "starttls",
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Take any certificate (one signed by itself).")
    ] = False,
    ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Authorities to believe, PEM.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="ADDRESS", help="Login.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its first line is the password.")
    ] = None,
    timeout_seconds: Annotated[float, typer.Option(min=0.1, help="For each answer.")] = 60.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the dialogue.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Send a message file to a server by SMTP. Line ends become CRLF."""
    from postroad.ports import ConnectFailed
    from postroad.runtime.lifecycle import run
    from postroad.runtime.sender import SendFailed
    from postroad.runtime.sender import send as transact
    from postroad.runtime.stranger import load_or_default

    where = _server(server, tls, not insecure, user, password_file)
    data = _with_crlf(_read(file))
    envelope = _envelope(sender, recipients, data)
    settings = load_or_default(config)

    async def main() -> "Sent":
        return await transact(
            where,
            envelope,
            data,
            hostname=settings.server.hostname,
            ca_file=ca_file or settings.tls.ca_file,
            timeout_seconds=timeout_seconds,
            say=_say if verbose else None,
        )

    try:
        sent: Sent = run(main())
    except SendFailed as error:
        later = error.reply is None or error.reply.transient
        raise CommandFailed(str(error), Exit.TEMPFAIL if later else Exit.UNAVAILABLE) from None
    except ConnectFailed as error:
        raise CommandFailed(str(error), Exit.TEMPFAIL) from None
    _show(sent, as_json)


def _show(sent: "Sent", as_json: bool) -> None:
    refused = [(address, reply) for address, reply in sent.recipients if not reply.positive]
    if as_json:
        print_json(
            {
                "reply": str(sent.reply),
                "recipients": {address: str(reply) for address, reply in sent.recipients},
            }
        )
    else:
        print_line(clean(str(sent.reply)), style="green")
        for address, reply in refused:
            complain(clean(f"not to {address}: {reply}"))
    if refused:
        raise typer.Exit(Exit.NOUSER)


def _server(
    text: str, tls: str, verify: bool, user: str | None, password_file: Path | None
) -> "Server":
    from postroad.runtime.config.delivery import read_secret
    from postroad.runtime.config.values import parse_peer
    from postroad.runtime.sender import Server

    if tls not in ("starttls", "implicit", "none"):
        raise CommandFailed(f"--tls {tls}: one of starttls, implicit, none", Exit.USAGE)
    if (user is None) != (password_file is None):
        raise CommandFailed("--user and --password-file belong together", Exit.USAGE)
    try:
        peer = parse_peer(text, default_port=465 if tls == "implicit" else 587)
        login = (
            None if user is None or password_file is None else (user, read_secret(password_file))
        )
    except ValueError as error:
        raise CommandFailed(str(error), Exit.USAGE) from None
    return Server(peer.host, peer.port, tls, verify, login)


def _envelope(sender: str, recipients: list[str], data: bytes) -> "Envelope":
    from postroad.model import Address, Body, Envelope, Recipient

    parsed = [Address.parse(each) for each in recipients]
    origin = Address.parse(sender) if sender.strip("<>") else None
    everyone = [*parsed, origin] if origin else parsed
    return Envelope(
        sender=origin,
        recipients=tuple(Recipient(each) for each in parsed),
        body=Body.SEVEN_BIT if data.isascii() else Body.EIGHT_BIT_MIME,
        smtputf8=not all(each.is_ascii for each in everyone),
    )


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _with_crlf(data: bytes) -> bytes:
    """Make every line end CRLF, and end the last line."""
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def _say(line: str) -> None:
    print(clean(line), file=sys.stderr)
