"""`ports.CertificateAuthority` by ACME (RFC 8555).

The package `acme` blocks, so each order has a daemon thread: nothing that serves waits for it, and a
process that is told to end need not wait for a slow authority. The account's key is made at the first
order and kept; an account that the authority already has for the key is used again (RFC 8555 §7.3.1).
"""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from postroad.network.acme.proof import Challenge, Proof
from postroad.ports.authority import IssueFailed

if TYPE_CHECKING:
    import requests
    from acme import client, messages
    from josepy.jwk import JWK

T = TypeVar("T")

REQUEST_SECONDS = 45
NONCE_TRIES = 5
_USER_AGENT = "postroad"


class AcmeMissing(Exception):
    """The package `acme` is not installed; the message says how to get it."""


class Binding(Struct, frozen=True):
    """What binds the account to one that its owner has elsewhere (RFC 8555 §7.3.4)."""

    key_id: str
    hmac_key: str


class AcmeSettings(Struct, frozen=True):
    """`directory_url` is the authority's; `account_key` is the file of our account's key; `ca_file`
    (PEM) is whom to believe about the authority itself, where the system's own would not do.
    """

    directory_url: str
    account_key: Path
    contact: str = ""
    ca_file: Path | None = None
    binding: Binding | None = None
    order_seconds: float = 300.0


def ensure_installed() -> None:
    """Raises `AcmeMissing`."""
    if find_spec("acme") is None or find_spec("josepy") is None:
        raise AcmeMissing(
            "certificates by ACME need the package acme; install it by: pip install 'postroad[acme]'"
        )


class AcmeAuthority:
    """Asks the authority at `settings.directory_url`, and proves names by `proof`."""

    def __init__(self, settings: AcmeSettings, proof: Proof) -> None:
        ensure_installed()
        self._settings = settings
        self._proof = proof

    async def issue(self, names: Sequence[str], key: bytes) -> bytes:
        """Return certificate and chain. Raises `IssueFailed`."""
        csr = _signing_request(names, key)
        return await _in_daemon_thread(lambda: self._issue(csr), "acme")

    def _issue(self, csr: bytes) -> bytes:
        import requests
        from acme import errors, messages
        from josepy.errors import Error as JoseError

        account_key = _account_key(self._settings.account_key)
        try:
            return self._order(csr, account_key)
        except errors.ValidationError as error:
            raise IssueFailed(_refusals(error.failed_authzrs)) from error
        except errors.IssuanceError as error:
            raise IssueFailed(f"not issued: {error}") from error
        except messages.Error as error:
            raise IssueFailed(f"the authority refuses: {error.detail or error}") from error
        except errors.TimeoutError as error:
            seconds = self._settings.order_seconds
            raise IssueFailed(f"the authority did not decide within {seconds:g} s") from error
        except requests.RequestException as error:
            raise IssueFailed(f"{self._settings.directory_url}: {error}") from error
        except (errors.Error, JoseError, ValueError, KeyError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise IssueFailed(f"the authority's answer makes no sense: {reason}") from error
        except OSError as error:
            raise IssueFailed(f"the authority cannot be asked: {error}") from error

    def _order(self, csr: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
        deadline = datetime.now() + timedelta(seconds=self._settings.order_seconds)
        found, account_key = self._client(key)
        order = found.new_order(csr)
        pending = [
            (_challenge_of(each, self._proof.kind), each.body.identifier.value)
            for each in order.authorizations
            if each.body.status.name != "valid"  # RFC 8555 §7.1.3: proved before
        ]
        proofs = [_to_publish(body, domain, account_key) for body, domain in pending]
        try:
            self._proof.publish(proofs)
            for body, _ in pending:
                found.answer_challenge(body, body.chall.response(account_key))
            order = found.poll_authorizations(order, deadline)
        finally:
            with suppress(IssueFailed):  # what stays published does no harm
                self._proof.withdraw(proofs)
        order = found.finalize_order(order, deadline)
        return str(order.fullchain_pem).encode("ascii")

    def _client(self, account: ec.EllipticCurvePrivateKey) -> "tuple[client.ClientV2, JWK]":
        """Return a client that is logged in to our account."""
        from acme import client, errors, messages
        from josepy.jwa import ES256
        from josepy.jwk import JWKEC

        settings = self._settings
        key = JWKEC(key=account)

        class Network(client.ClientNetwork):
            """One that asks again where a nonce is refused (RFC 8555 §6.5), more often than once."""

            def post(self, *given: Any, **more: Any) -> "requests.Response":
                for _ in range(NONCE_TRIES - 1):
                    try:
                        return super().post(*given, **more)
                    except messages.Error as error:
                        if error.code != "badNonce":
                            raise
                return super().post(*given, **more)

        net = Network(key, alg=ES256, user_agent=_USER_AGENT, timeout=REQUEST_SECONDS)
        if settings.ca_file is not None:
            # `requests` takes a path here.
            net.verify_ssl = str(settings.ca_file)  # type: ignore[assignment]
        directory = client.ClientV2.get_directory(settings.directory_url, net)
        found = client.ClientV2(directory, net)
        fields: dict[str, Any] = {"terms_of_service_agreed": True}
        if settings.contact:
            fields["contact"] = (f"mailto:{settings.contact}",)
        if settings.binding is not None:
            fields["external_account_binding"] = messages.ExternalAccountBinding.from_data(
                key.public_key(), settings.binding.key_id, settings.binding.hmac_key, directory
            )
        try:
            found.new_account(messages.NewRegistration(**fields))
        except errors.ConflictError as error:
            known = messages.RegistrationResource(uri=error.location, body=messages.Registration())
            found.query_registration(known)
        return found, key


def _challenge_of(
    authorization: "messages.AuthorizationResource", kind: str
) -> "messages.ChallengeBody":
    offered = authorization.body.challenges
    for each in offered:
        if each.chall.typ == kind:
            return each
    raise IssueFailed(
        f"the authority does not take {kind} for {authorization.body.identifier.value}, only "
        + ", ".join(each.chall.typ for each in offered)
    )


def _to_publish(body: "messages.ChallengeBody", domain: str, account_key: "JWK") -> Challenge:
    from acme import challenges

    chall = body.chall
    text = chall.validation(account_key)
    if isinstance(chall, challenges.DNS01):
        return Challenge(domain, text, name=chall.validation_domain_name(domain))
    return Challenge(domain, text, token=chall.encode("token"))


def _refusals(failed: "Sequence[messages.AuthorizationResource]") -> str:
    reasons = [
        f"{each.body.identifier.value}: {challenge.error.detail or challenge.error.typ}"
        for each in failed
        for challenge in each.body.challenges
        if challenge.error is not None
    ]
    return "the authority could not see the proof: " + "; ".join(reasons)


def _signing_request(names: Sequence[str], key: bytes) -> bytes:
    """RFC 8555 §7.4: the names as they are to stand in the certificate."""
    private = serialization.load_pem_private_key(key, None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("an EC key is wanted")
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .sign(private, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def _account_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the account's key, made where there is none. Raises `IssueFailed`, which names the file."""
    try:
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        return _make_account_key(path)
    except OSError as error:
        raise IssueFailed(f"the account's key {path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IssueFailed(_DAMAGED.format(path, error)) from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise IssueFailed(_DAMAGED.format(path, "it holds no EC key"))
    return loaded


_DAMAGED = (
    "the account's key {0} is damaged ({1}): restore it, or move it away, and a new account is made"
)


def _make_account_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The file is there whole or not at all."""
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise IssueFailed(f"the account's key {path} cannot be kept: {error.strerror}") from error
    return made


async def _in_daemon_thread(work: Callable[[], T], name: str) -> T:
    """Run blocking `work`; who cancels this leaves the thread to end by itself."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def main() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:  # carried over to who waits
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=main, name=name, daemon=True).start()
    return await future
