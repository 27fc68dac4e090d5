"""What a server machine says by itself, each with its enhanced status code (RFC 2034, RFC 3463)."""

from postroad.model import Reply
from postroad.wire.sasl import PLUS
from postroad.wire.smtp.settings import ServerConfig
from postroad.wire.smtp.states import State, Verb

OK = Reply(250, "2.0.0", "OK")
HELP = Reply(214, "2.0.0", "EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT; RFC 5321 tells the rest")
NO_EXPN = Reply(502, "5.5.1", "Lists are not told")
ARGUMENT = Reply(501, "5.5.4", "This command takes no argument")
NO_ARGUMENT = Reply(501, "5.5.4", "This command takes an argument")

UNKNOWN = Reply(500, "5.5.1", "Command unknown")
NOT_DONE = Reply(502, "5.5.1", "Command not offered")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
RESPONSE_TOO_LONG = Reply(500, "5.5.6", "Line too long")  # RFC 4954 §6
BARE_LINE_FEED = Reply(500, "5.5.2", "Lines end with CRLF")
CONTROL_CHARACTER = Reply(500, "5.5.2", "Control character in command")
NOT_UTF8 = Reply(500, "5.5.2", "Command is neither ASCII nor UTF-8")

TLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")  # RFC 3207 §4
AUTH_FIRST = Reply(530, "5.7.0", "Authentication required")  # RFC 4954 §6
NO_TLS = Reply(502, "5.5.1", "STARTTLS is not offered")
NO_AUTH = Reply(502, "5.5.1", "AUTH is not offered")
AUTH_NEEDS_TLS = Reply(538, "5.7.11", "Encryption required: say STARTTLS first")
NOT_BASE64 = Reply(501, "5.5.2", "This is not base 64")
AUTH_AGAIN = Reply(503, "5.5.1", "Already authenticated")  # RFC 4954 §4
NO_MECHANISM = Reply(504, "5.5.4", "Mechanism not offered")
AUTH_CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")

TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients: send what you have, then the rest")
TOO_MANY_TRANSACTIONS = Reply(452, "4.5.3", "Too many transactions: say QUIT and come again")
SIZE_TOO_BIG = Reply(552, "5.3.4", "Message is larger than SIZE allows")
BODY_TOO_EARLY = Reply(503, "5.5.1", "Data came before the answer to DATA; closing")
TALKED_FIRST = Reply(554, "5.5.0", "You talked before the greeting; closing")
GO_ON = Reply(354, "", "End data with <CR><LF>.<CR><LF>")

# These lead to 421 (RFC 5321 §3.8); the host name is put before the text.
TIMED_OUT = Reply(421, "4.4.2", "Timeout; closing")
SHUTTING_DOWN = Reply(421, "4.3.2", "Shutting down; closing")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors; closing")
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "Too many commands without mail; closing")
NOT_HTTP = Reply(421, "4.7.0", "This is SMTP; closing")

OLD_WORDS = frozenset(("TURN", "SEND", "SOML", "SAML", "ETRN", "ATRN"))
# A browser made to post to port 25 writes mail in the body of its request.
HTTP_WORDS = frozenset(("GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:"))

_NO_SERVICE = Reply(503, "5.5.1", "No service here; say QUIT")
_HELLO_FIRST = Reply(503, "5.5.1", "Say EHLO first")
_MAIL_FIRST = Reply(503, "5.5.1", "Say MAIL first")
_MAIL_TWICE = Reply(503, "5.5.1", "Sender already given; say RSET to begin anew")
_NO_RECIPIENT = Reply(554, "5.5.1", "No valid recipients")
_OUT_OF_ORDER = Reply(503, "5.5.1", "Not now: command out of order")


def out_of_order(state: State, verb: Verb) -> Reply:
    """Return the refusal of a command that is not legal in `state`. RFC 5321 §4.1.4."""
    if state is State.UNAVAILABLE:
        return _NO_SERVICE
    if state is State.GREETED:
        return _HELLO_FIRST
    if state is State.MAIL and verb in (Verb.DATA, Verb.BDAT, Verb.BDAT_LAST):
        return _NO_RECIPIENT
    if verb is Verb.MAIL:
        return _MAIL_TWICE
    if state is State.READY and verb not in (Verb.AUTH, Verb.STARTTLS):
        return _MAIL_FIRST
    return _OUT_OF_ORDER


def named(hostname: str, reply: Reply) -> Reply:
    """Return `reply` with the host name first, as greeting, 221, 421 and EHLO have it."""
    first = reply.text.split("\n", 1)[0]
    if first == hostname or first.startswith(f"{hostname} "):
        return reply
    return Reply(reply.code, reply.enhanced, f"{hostname} {reply.text}".rstrip(" "))


def mechanisms(config: ServerConfig, *, secure: bool) -> tuple[str, ...]:
    """Return the SASL mechanisms on offer; without TLS there is no channel to bind to."""
    return config.auth if secure else tuple(name for name in config.auth if name != PLUS)


def hello(config: ServerConfig, reply: Reply, *, extended: bool, secure: bool) -> Reply:
    """Return the driver's 250 with the host name and, for EHLO, what is offered now: what the driver
    offers stands in further lines of its reply.

    RFC 5321 §4.1.1.1, RFC 9422 §3.
    """
    text, *offered = named(config.hostname, reply).text.split("\n")
    if not extended:
        return Reply(250, "", text)
    lines = [
        text,
        "PIPELINING",
        f"SIZE {config.max_message_octets}",
        "8BITMIME",
        "SMTPUTF8",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
    ]
    if config.starttls and not secure:
        lines.append("STARTTLS")
    if secure and not config.lmtp:
        lines.append("REQUIRETLS")  # RFC 8689 §2: never in clear
    if config.auth and (secure or config.auth_without_tls):
        lines.append(f"AUTH {' '.join(mechanisms(config, secure=secure))}")
    lines.append(f"LIMITS MAILMAX={config.max_transactions} RCPTMAX={config.max_recipients}")
    lines += offered
    return Reply(250, "", "\n".join(lines))
