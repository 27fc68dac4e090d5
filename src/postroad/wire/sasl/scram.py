"""SCRAM-SHA-256 (RFC 5802, RFC 7677): its keys, its proofs and the grammar of its messages."""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode

from msgspec import Struct

from postroad.model import ScramKeys
from postroad.wire.sasl.prepare import password_octets
from postroad.wire.sasl.steps import SaslMalformed

END_POINT = "tls-server-end-point"
"""The channel binding that we know (RFC 5929 §4.1): a hash of the server's certificate."""

MAX_NAME_OCTETS = 1024
MAX_NONCE_OCTETS = 512

# RFC 5802 §7
_CLIENT_FIRST = re.compile(
    r"(?P<gs2>(?P<flag>n|y|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,]*))?,)"
    r"(?P<bare>n=(?P<name>[^,]*),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]*)*)"
)
_CLIENT_FINAL = re.compile(
    r"(?P<unproven>c=(?P<bound>[A-Za-z0-9/+=]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)"
    r"(?:,[A-Za-oq-z]=[^,]*)*),p=(?P<proof>[A-Za-z0-9/+=]+)"
)
_SERVER_FIRST = re.compile(
    r"r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+),s=(?P<salt>[A-Za-z0-9/+=]+),i=(?P<iterations>[1-9][0-9]*)"
    r"(?:,[A-Za-z]=[^,]*)*"
)


class ClientFirst(Struct, frozen=True):
    """The client's first message. `gs2` is its header, `bare` what follows it; `binding` the type of
    channel binding it uses, None for none; `could_bind`: it would have, had we offered it.
    """

    gs2: str
    bare: str
    authorization_id: str
    username: str
    nonce: str
    binding: str | None
    could_bind: bool


class ClientFinal(Struct, frozen=True):
    """The client's second message; `unproven` is all of it before the proof."""

    unproven: str
    bound: bytes
    nonce: str
    proof: bytes


class ServerFirst(Struct, frozen=True):
    """The server's first message."""

    nonce: str
    salt: bytes
    iterations: int


def derive_keys(password: str, salt: bytes, iterations: int) -> ScramKeys:
    """Return the keys to store for a password. Takes `iterations` hashes: not for the event loop.

    RFC 5802 §3.
    """
    _, stored_key, server_key = _derive(password, salt, iterations)
    return ScramKeys(salt, iterations, stored_key, server_key)


def prove(password: str, salt: bytes, iterations: int, said: str) -> tuple[bytes, bytes]:
    """Return the client's proof and the signature that the server must answer it with."""
    client_key, stored_key, server_key = _derive(password, salt, iterations)
    return _xor(client_key, _signature(stored_key, said)), _signature(server_key, said)


def is_proof(keys: ScramKeys, proof: bytes, said: str) -> bool:
    """Whether `proof` shows knowledge of the password of `keys`; `said` is RFC 5802's AuthMessage."""
    if len(proof) != len(keys.stored_key):
        return False
    client_key = _xor(proof, _signature(keys.stored_key, said))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), keys.stored_key)


def server_signature(keys: ScramKeys, said: str) -> bytes:
    """Return what shows the client that we have the keys."""
    return _signature(keys.server_key, said)


def _derive(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes, bytes]:
    salted = hashlib.pbkdf2_hmac("sha256", password_octets(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return client_key, hashlib.sha256(client_key).digest(), server_key


def _signature(key: bytes, said: str) -> bytes:
    return hmac.digest(key, said.encode(), "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def read_client_first(message: bytes) -> ClientFirst:
    """RFC 5802 §7, client-first-message. Raises `SaslMalformed`."""
    match = _match(_CLIENT_FIRST, message, "first")
    flag, name = match["flag"], match["name"]
    if len(match["nonce"]) > MAX_NONCE_OCTETS or len(name) > MAX_NAME_OCTETS:
        raise SaslMalformed("the SCRAM message has a name or nonce that is too long")
    username = decode_name(name)
    if not username:
        raise SaslMalformed("the SCRAM message has no user name")
    return ClientFirst(
        gs2=match["gs2"],
        bare=match["bare"],
        authorization_id=decode_name(match["authzid"] or ""),
        username=username,
        nonce=match["nonce"],
        binding=match["binding"],
        could_bind=flag == "y",
    )


def read_client_final(message: bytes) -> ClientFinal:
    """RFC 5802 §7, client-final-message. Raises `SaslMalformed`."""
    match = _match(_CLIENT_FINAL, message, "second")
    return ClientFinal(
        match["unproven"], decode(match["bound"]), match["nonce"], decode(match["proof"])
    )


def read_server_first(message: bytes) -> ServerFirst:
    """RFC 5802 §7, server-first-message. Raises `SaslMalformed`."""
    match = _match(_SERVER_FIRST, message, "first")
    return ServerFirst(match["nonce"], decode(match["salt"]), int(match["iterations"]))


def _match(pattern: re.Pattern[str], message: bytes, which: str) -> re.Match[str]:
    try:
        match = pattern.fullmatch(message.decode())
    except UnicodeDecodeError:
        match = None
    if match is None:
        raise SaslMalformed(f"this is no {which} SCRAM message")
    return match


def decode_name(text: str) -> str:
    """Return a name as it was before ``,`` and ``=`` were written ``=2C`` and ``=3D``.

    RFC 5802 §5.1. Raises `SaslMalformed`.
    """
    parts = text.split("=")
    name = parts[0]
    for part in parts[1:]:
        letter = {"2C": ",", "3D": "="}.get(part[:2])
        if letter is None:
            raise SaslMalformed("a name in the SCRAM message is not escaped as it must be")
        name += letter + part[2:]
    if not name.isprintable():
        raise SaslMalformed("there is no control character in a name")
    return name


def encode_name(text: str) -> str:
    """Return a name as SCRAM messages have it. RFC 5802 §5.1."""
    return text.replace("=", "=3D").replace(",", "=2C")


def encode(data: bytes) -> str:
    """Return base 64."""
    return b64encode(data).decode()


def decode(text: str) -> bytes:
    """Return what base 64 stands for. Raises `SaslMalformed`."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise SaslMalformed("the SCRAM message has no base 64 where there must be") from None
