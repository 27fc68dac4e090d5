"""Passkeys (WebAuthn Level 2): a key on somebody's device, which that unlocks by a finger, a face or a
PIN; so it is enough to log in with alone.

What the server asks is a sealed challenge: nothing is kept of it. It is answered once, for the store
notes when the last challenge that a key answered was made.
"""

import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from fido2 import cbor
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.webauthn import (
    Aaguid,
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from msgspec import Struct

from postroad.model import Account, Group, Passkey, PasskeyAdded, PasskeyRemoved, PasskeyUsed
from postroad.ports import Clock, Conflict, Directory, Ledger, SessionStore
from postroad.service.errors import Refused
from postroad.service.sealed import Seal

MAX_PASSKEYS = 20
MAX_NAME_LETTERS = 64
CHALLENGE_SECONDS = 300.0


class Asked(Struct, frozen=True):
    """What a browser is asked: `options` for it (in JSON, WebAuthn §5.1), and a `state` to bring
    back.
    """

    options: dict[str, Any]
    state: str


class Site(Struct, frozen=True):
    """Where the browser is: host name and port of the server, as it knows them."""

    host: str

    @property
    def name(self) -> str:
        """The host name alone, which keys are bound to."""
        return urlsplit(f"//{self.host}").hostname or ""

    def is_origin(self, origin: str) -> bool:
        """Whether a browser at that origin is at this site (WebAuthn §7.2, step 13)."""
        parts = urlsplit(origin)
        if parts.netloc.lower() != self.host.lower():
            return False
        return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost")


class Passkeys:
    """Adds, recognises, lists and removes passkeys. `secret` is the store's."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: SessionStore,
        directory: Directory,
        clock: Clock,
        secret: bytes,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._directory = directory
        self._clock = clock
        self._seal = Seal(secret, "passkey")

    async def begin_adding(self, account: Account, site: Site) -> Asked:
        """Ask a browser to make a passkey. Raises `Refused`."""
        user = PublicKeyCredentialUserEntity(
            id=account.id.to_bytes(8, "big"),
            name=str(account.address),
            display_name=str(account.address),
        )
        known = [
            PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=each.id)
            for each in await self._store.passkeys(account.id)
        ]
        options, state = _server(site).register_begin(
            user,
            known,
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return self._asked(dict(options), state, account.id)

    async def add(
        self, account: Account, site: Site, state: str, name: str, response: Mapping[str, Any]
    ) -> Passkey:
        """Keep what a browser answered. Raises `Refused`, and `Conflict` where it is known already."""
        name = name.strip()
        if not name or len(name) > MAX_NAME_LETTERS or not name.isprintable():
            raise Refused(f"a name of 1 to {MAX_NAME_LETTERS} printable characters is needed")
        told, _ = self._opened(state, account.id)
        try:
            data = _server(site).register_complete(told, response).credential_data
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refused(f"the browser's answer is no good: {error}") from error
        if data is None:
            raise Refused("the browser's answer has no key in it")
        passkey = Passkey(
            id=data.credential_id,
            account=account.id,
            name=name,
            public_key=cbor.encode(data.public_key),
            sign_count=0,
            made_at=self._clock.now(),
        )
        change = PasskeyAdded(passkey.made_at, passkey, MAX_PASSKEYS)
        await self._ledger.commit(Group((change,)))
        return passkey

    def begin_login(self, site: Site) -> Asked:
        """Ask a browser for whichever passkey somebody has here. Raises `Refused`."""
        options, state = _server(site).authenticate_begin(
            user_verification=UserVerificationRequirement.REQUIRED
        )
        return self._asked(dict(options), state, 0)

    async def judge(self, site: Site, state: str, response: Mapping[str, Any]) -> Account | None:
        """Return the account whose passkey answered, None for an answer that is no good."""
        try:
            told, asked_at = self._opened(state, 0)
            answer = AuthenticationResponse.from_dict(dict(response))
            passkey = await self._store.passkey(answer.raw_id)
            if passkey is None:
                return None
            handle = answer.response.user_handle
            if handle and handle != passkey.account.to_bytes(8, "big"):
                return None
            _server(site).authenticate_complete(told, [_credential(passkey)], answer)
        except (Refused, ValueError, KeyError, TypeError, AttributeError):
            return None
        count = answer.response.authenticator_data.counter
        change = PasskeyUsed(self._clock.now(), passkey.id, count, asked_at)
        try:
            await self._ledger.commit(Group((change,)))
        except Conflict:  # answered before, or a copy of the key
            return None
        return await self._directory.account_by_id(passkey.account)

    async def list(self, account: Account) -> list[Passkey]:
        """Return an account's passkeys, the oldest first."""
        return await self._store.passkeys(account.id)

    async def remove(self, account: Account, credential: bytes) -> None:
        """Make a passkey worthless. Raises `Conflict` where there is none."""
        change = PasskeyRemoved(self._clock.now(), account.id, credential)
        await self._ledger.commit(Group((change,)))

    def _asked(self, options: dict[str, Any], state: Any, account: int) -> Asked:
        now = self._clock.now()
        kept = json.dumps({"state": state, "account": account, "at": now}).encode()
        sealed = self._seal.close(kept, now + CHALLENGE_SECONDS)
        return Asked(dict(options["publicKey"]), sealed)

    def _opened(self, sealed: str, account: int) -> tuple[Any, float]:
        """Return what was asked, and when. Raises `Refused`."""
        opened = self._seal.open(sealed, self._clock.now())
        kept = {} if opened is None else json.loads(opened)
        if kept.get("account") != account:
            raise Refused("that took too long; begin again")
        return kept["state"], float(kept["at"])


def _server(site: Site) -> Fido2Server:
    """Raises `Refused` where browsers make no passkeys."""
    name = site.name
    if not any(letter.isalpha() for letter in name) or ":" in name:
        raise Refused("passkeys are bound to a host name; open this page by one, not by an address")
    party = PublicKeyCredentialRpEntity(id=name, name="Postroad")
    return Fido2Server(party, attestation=None, verify_origin=site.is_origin)


def _credential(passkey: Passkey) -> AttestedCredentialData:
    key = CoseKey.parse(cast("Mapping[int, Any]", cbor.decode(passkey.public_key)))
    return AttestedCredentialData.create(Aaguid.NONE, passkey.id, key)
