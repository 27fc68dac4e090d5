"""AUTH PLAIN and AUTH LOGIN, both sides (RFC 4954, RFC 4616): strings in base64 there and back."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from postroad.wire.smtp.events import Auth
from postroad.wire.smtp.parameters import wrong

MECHANISMS = ("PLAIN", "LOGIN")
_USERNAME_PROMPT = b64encode(b"Username:").decode()
_PASSWORD_PROMPT = b64encode(b"Password:").decode()


class SaslServer:
    """One exchange: `step` takes the client's responses until it has an `Auth`."""

    __slots__ = ("_mechanism", "_username", "challenge")

    def __init__(self, mechanism: str) -> None:
        self._mechanism = mechanism
        self._username: str | None = None
        self.challenge = "" if mechanism == "PLAIN" else _USERNAME_PROMPT
        """What the next 334 carries, in base64."""

    def step(self, response: str) -> Auth | None:
        """Take a response in base64; None: send `challenge` and go on.

        Raises `RemoteProtocolError`, which ends the exchange.
        """
        text = _decode(response)
        if self._mechanism == "PLAIN":
            return _read_plain(text)
        if "\0" in text:
            raise wrong(501, "5.5.2", "There is no NUL in a name or password")
        if self._username is None:
            self._username, self.challenge = text, _PASSWORD_PROMPT
            return None
        return Auth("LOGIN", "", self._username, text)


def _decode(response: str) -> str:
    try:
        # "=" stands for an empty initial response (RFC 4954 §4)
        return "" if response == "=" else b64decode(response, validate=True).decode()
    except (Base64Error, ValueError):
        raise wrong(501, "5.5.2", "This is not UTF-8 in base64") from None


def _read_plain(text: str) -> Auth:
    """RFC 4616 §2: authorization id, NUL, user name, NUL, password."""
    parts = text.split("\0")
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise wrong(501, "5.5.2", "AUTH PLAIN takes an identity, a user name and a password")
    return Auth("PLAIN", *parts)


class SaslClient:
    """One exchange from the client's side: the first line, then an answer to each 334."""

    __slots__ = ("_answers", "command")

    def __init__(self, mechanism: str, username: str, password: str) -> None:
        self._answers: list[str]  # the last one cancels what should be over by then
        if mechanism == "PLAIN":
            self.command = f"AUTH PLAIN {_encode(f'{chr(0)}{username}{chr(0)}{password}')}"
            self._answers = ["*"]
        else:
            self.command = "AUTH LOGIN"
            self._answers = [_encode(username), _encode(password), "*"]

    def answer(self) -> str | None:
        """Return the answer to a 334; ``*`` (cancel) to one too many, and None to any after that."""
        return self._answers.pop(0) if self._answers else None


def _encode(text: str) -> str:
    return b64encode(text.encode()).decode()
