"""All of JMAP for the accounts of a server: the session, requests, uploads and downloads, and states to
watch (RFC 8620).
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from postroad.model import Account, Group, Upload, Uploaded
from postroad.ports import StorageError
from postroad.service.jmap.blob import blob_capability, blob_get, blob_lookup, blob_upload
from postroad.service.jmap.blobs import Blob, find_blob, stream
from postroad.service.jmap.desk import Context, Desk
from postroad.service.jmap.email_changes import email_changes
from postroad.service.jmap.email_get import email_get, email_parse
from postroad.service.jmap.email_import import email_copy, email_import
from postroad.service.jmap.email_query import email_query, email_query_changes
from postroad.service.jmap.email_set import email_set
from postroad.service.jmap.identity import identity_changes, identity_get, identity_set
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.mailbox_get import (
    mailbox_changes,
    mailbox_get,
    mailbox_query,
    mailbox_query_changes,
)
from postroad.service.jmap.mailbox_set import mailbox_set
from postroad.service.jmap.quota import (
    quota_changes,
    quota_get,
    quota_query,
    quota_query_changes,
)
from postroad.service.jmap.search import search_snippet_get
from postroad.service.jmap.submission import (
    submission_changes,
    submission_get,
    submission_query,
    submission_set,
)
from postroad.service.jmap.thread import thread_changes, thread_get
from postroad.service.jmap.vacation import vacation_get, vacation_set
from postroad.wire.jmap import (
    Arguments,
    Invocation,
    MethodError,
    Request,
    RequestError,
    parse_request,
    resolve_references,
)
from postroad.wire.smtp.hold import write_offer

log = structlog.get_logger("postroad.jmap")

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
SUBMISSION = "urn:ietf:params:jmap:submission"
QUOTA = "urn:ietf:params:jmap:quota"
VACATION = "urn:ietf:params:jmap:vacationresponse"
BLOB = "urn:ietf:params:jmap:blob"
_ALL = (CORE, MAIL, SUBMISSION, VACATION, QUOTA, BLOB)

Method = Callable[[Context, Arguments], Awaitable[Any]]


METHODS: dict[str, tuple[str, Method]] = {
    "Mailbox/get": (MAIL, mailbox_get),
    "Mailbox/changes": (MAIL, mailbox_changes),
    "Mailbox/query": (MAIL, mailbox_query),
    "Mailbox/queryChanges": (MAIL, mailbox_query_changes),
    "Mailbox/set": (MAIL, mailbox_set),
    "Thread/get": (MAIL, thread_get),
    "Thread/changes": (MAIL, thread_changes),
    "Email/get": (MAIL, email_get),
    "Email/changes": (MAIL, email_changes),
    "Email/query": (MAIL, email_query),
    "Email/queryChanges": (MAIL, email_query_changes),
    "Email/set": (MAIL, email_set),
    "Email/import": (MAIL, email_import),
    "Email/copy": (MAIL, email_copy),
    "Email/parse": (MAIL, email_parse),
    "SearchSnippet/get": (MAIL, search_snippet_get),
    "Identity/get": (SUBMISSION, identity_get),
    "Identity/changes": (SUBMISSION, identity_changes),
    "Identity/set": (SUBMISSION, identity_set),
    "EmailSubmission/get": (SUBMISSION, submission_get),
    "EmailSubmission/changes": (SUBMISSION, submission_changes),
    "EmailSubmission/query": (SUBMISSION, submission_query),
    "EmailSubmission/set": (SUBMISSION, submission_set),
    "VacationResponse/get": (VACATION, vacation_get),
    "VacationResponse/set": (VACATION, vacation_set),
    "Blob/upload": (BLOB, blob_upload),
    "Blob/get": (BLOB, blob_get),
    "Blob/lookup": (BLOB, blob_lookup),
    "Quota/get": (QUOTA, quota_get),
    "Quota/changes": (QUOTA, quota_changes),
    "Quota/query": (QUOTA, quota_query),
    "Quota/queryChanges": (QUOTA, quota_query_changes),
}
"""Methods by name, each with the capability that a request has to use for it."""


class Visitor(Struct, frozen=True):
    """Where a request came from: IP address, and how that was secured."""

    client: str = ""
    tls: str | None = None


class Jmap:
    """Answers for all accounts."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._requests: Counter[int] = Counter()
        self._uploads: Counter[int] = Counter()
        self._stopped = False

    def session(self, account: Account, base: str) -> dict[str, Any]:
        """Return the Session object (RFC 8620 §2); `base` is the address of the server, such as
        ``https://mail.example.org``.
        """
        number = show(Kind.ACCOUNT, account.id)
        name = str(account.address)
        capabilities = self._account_capabilities()
        return {
            "capabilities": {CORE: self._core(), **{name: {} for name in capabilities}},
            "accounts": {
                number: {
                    "name": name,
                    "isPersonal": True,
                    "isReadOnly": False,
                    "accountCapabilities": {CORE: {}, **capabilities},
                }
            },
            "primaryAccounts": dict.fromkeys([CORE, *capabilities], number),
            "username": name,
            "apiUrl": f"{base}/jmap/api",
            "downloadUrl": f"{base}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?type={{type}}",
            "uploadUrl": f"{base}/jmap/upload/{{accountId}}",
            "eventSourceUrl": f"{base}/jmap/events?types={{types}}&closeafter={{closeafter}}"
            "&ping={ping}",
            "state": self._session_state(account),
        }

    def _core(self) -> dict[str, Any]:
        limits = self.desk.settings.limits
        return {
            "maxSizeUpload": limits.max_size_upload,
            "maxConcurrentUpload": limits.max_concurrent_upload,
            "maxSizeRequest": limits.max_size_request,
            "maxConcurrentRequests": limits.max_concurrent_requests,
            "maxCallsInRequest": limits.max_calls_in_request,
            "maxObjectsInGet": limits.max_objects_in_get,
            "maxObjectsInSet": limits.max_objects_in_set,
            "collationAlgorithms": ["i;ascii-casemap", "i;unicode-casemap"],
        }

    def _account_capabilities(self) -> dict[str, dict[str, Any]]:
        settings = self.desk.settings
        return {
            MAIL: {
                "maxMailboxesPerEmail": 1,
                "maxMailboxDepth": 10,
                "maxSizeMailboxName": 200,
                "maxSizeAttachmentsPerEmail": settings.max_message_octets,
                "emailQuerySortOptions": [
                    "receivedAt",
                    "sentAt",
                    "size",
                    "from",
                    "to",
                    "subject",
                    "hasKeyword",
                    "allInThreadHaveKeyword",
                    "someInThreadHaveKeyword",
                ],
                "mayCreateTopLevelMailbox": True,
            },
            SUBMISSION: self._submission(),
            VACATION: {},
            QUOTA: {},
            BLOB: blob_capability(),
        }

    def _submission(self) -> dict[str, Any]:
        """Return how long what is sent may wait, as SMTP offers it (RFC 8621 §1.3.2)."""
        most = self.desk.settings.hold_max_seconds
        offer = write_offer(most, self.desk.clock.now()).split()
        return {
            "maxDelayedSend": most,
            "submissionExtensions": {offer[0]: offer[1:]} if most else {},
        }

    def _session_state(self, account: Account) -> str:
        capabilities = self._account_capabilities()
        # The latest moment in its offer is another every second; that is no news to anybody.
        capabilities[SUBMISSION].pop("submissionExtensions")
        told = json.dumps([str(account.address), self._core(), capabilities])
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()

    async def handle(self, account: Account, data: bytes, visitor: Visitor) -> bytes:
        """Answer a request with JSON. Raises `RequestError`."""
        limits = self.desk.settings.limits
        if self._requests[account.id] >= limits.max_concurrent_requests:
            raise RequestError(
                "limit", "too many requests of this account at once", "maxConcurrentRequests"
            )
        self._requests[account.id] += 1
        try:
            request = parse_request(data, _ALL, limits)
            responses, created = await self._answer(account, request, visitor)
        finally:
            self._requests[account.id] -= 1
            if not self._requests[account.id]:
                del self._requests[account.id]
        answer: dict[str, Any] = {
            "methodResponses": responses,
            "sessionState": self._session_state(account),
        }
        if request.created is not None:
            answer["createdIds"] = created
        return msgspec.json.encode(answer)

    async def _answer(
        self, account: Account, request: Request, visitor: Visitor
    ) -> tuple[list[Invocation], dict[str, str]]:
        context = Context(
            self.desk, account, dict(request.created or {}), visitor.client, visitor.tls
        )
        responses: list[Invocation] = []
        for call in request.calls:
            waiting: list[tuple[str, dict[str, Any]]] = [(call.name, call.arguments)]
            using = request.using
            while waiting:
                name, given = waiting.pop(0)
                try:
                    told = await self._call(context, using, name, given, responses)
                except MethodError as error:
                    responses.append(Invocation("error", error.to_json(), call.call))
                    continue
                name, arguments, *more = told
                responses.append(Invocation(name, arguments, call.call))
                waiting += more
                using = _ALL  # what follows from a method needs no word of its own
        return responses, context.created

    async def _call(
        self,
        context: Context,
        using: Sequence[str],
        name: str,
        given: dict[str, Any],
        responses: list[Invocation],
    ) -> tuple[Any, ...]:
        """Return name and arguments of the response, then calls that follow from it. Raises
        `MethodError`.
        """
        if name == "Core/echo" and CORE in using:
            return name, resolve_references(given, responses)
        capability, method = METHODS.get(name, ("", None))
        if method is None or capability not in using:
            raise MethodError(
                "unknownMethod", f"there is no method {name[:80]!r}, or it is not used"
            )
        arguments = resolve_references(given, responses)
        try:
            told = await method(context, Arguments(arguments))
        except StorageError as error:
            log.error("method failed", method=name, error=str(error))
            raise MethodError("serverFail", "the store failed; try again later") from error
        if isinstance(told, list):
            (first, *rest) = told
            return (*first, *rest)
        return name, told

    async def upload(
        self, account: Account, media_type: str, pieces: AsyncIterator[bytes]
    ) -> dict[str, Any]:
        """Keep what a client puts here (RFC 8620 §6.1); return what it is told.

        Raises `RequestError` where it is too large or there are too many at once, `StorageError`.
        """
        limits, desk = self.desk.settings.limits, self.desk
        if self._uploads[account.id] >= limits.max_concurrent_upload:
            raise RequestError(
                "limit", "too many uploads of this account at once", "maxConcurrentUpload", 429
            )
        self._uploads[account.id] += 1
        writer = desk.content.stage(desk.entropy.id())
        try:
            async for piece in pieces:
                if writer.size + len(piece) > limits.max_size_upload:
                    most = limits.max_size_upload
                    raise RequestError("limit", f"at most {most} octets", "maxSizeUpload", 413)
                writer.write(piece)
            staged = await writer.finish()
            now = desk.clock.now()
            upload = Upload(staged.ref.id, account.id, staged.ref, media_type[:200], now)
            keep = now - desk.settings.keep_upload_seconds
            await desk.ledger.commit(Group((Uploaded(now, upload, keep),), (staged,)))
        except BaseException:
            writer.discard()
            raise
        finally:
            self._uploads[account.id] -= 1
            if not self._uploads[account.id]:
                del self._uploads[account.id]
        return {
            "accountId": show(Kind.ACCOUNT, account.id),
            "blobId": show(Kind.UPLOAD, upload.id),
            "type": media_type[:200] or "application/octet-stream",
            "size": staged.ref.size,
        }

    async def download(
        self, account: Account, account_id: str, blob_id: str
    ) -> tuple[Blob, AsyncIterator[bytes]] | None:
        """Return a blob and its bytes, None where the account has none of that id (RFC 8620 §6.2)."""
        if account_id != show(Kind.ACCOUNT, account.id):
            return None
        context = Context(self.desk, account, {})
        blob = await find_blob(context, blob_id)
        return None if blob is None else (blob, stream(context, blob))

    async def states(self, account: Account) -> dict[str, str]:
        """Return the states of all types of data that change, for whoever watches them (RFC 8620 §7.1).

        Raises `MethodError` while mailboxes are looked at for the first time, `StorageError`.
        """
        await self.desk.noticing.catch_up(account.id)
        state = str((await self.desk.emails.state(account.id)).state)
        return dict.fromkeys(("Email", "EmailDelivery", "Mailbox", "Thread"), state)

    async def watch(self, account: Account, every_seconds: float) -> AsyncIterator[dict[str, str]]:
        """Yield the states as they change. Looks again and again, so that it does not matter by which
        process, or which machine, something changed.
        """
        before = await self.states(account)
        while True:
            await asyncio.sleep(every_seconds)
            if self._stopped:
                return
            try:
                after = await self.states(account)
            except (MethodError, StorageError) as error:
                log.warning("states not looked up", error=str(error))
                continue
            if after != before:
                yield after
                before = after

    async def stop(self) -> None:
        """End what goes on beside requests, and soon those who watch."""
        self._stopped = True
        await self.desk.noticing.stop()
