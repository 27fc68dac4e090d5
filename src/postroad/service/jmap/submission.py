"""EmailSubmission/get, /changes, /query and /set (RFC 8621 §7): emails are sent as the account."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import msgspec

from postroad.model import (
    Delivery,
    DeliveryState,
    Dropped,
    Reply,
    Submission,
    Submitted,
)
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_get import utc_text
from postroad.service.jmap.identity import identities_of
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.paging import Page
from postroad.service.jmap.sending import Sending
from postroad.service.jmap.standard import (
    SetArguments,
    SetWork,
    at_most,
    get_response,
    wanted_properties,
)
from postroad.wire.jmap import Arguments, MethodError, SetError
from postroad.wire.jmap.errors import invalid

PROPERTIES = (
    "id",
    "identityId",
    "emailId",
    "threadId",
    "envelope",
    "sendAt",
    "undoStatus",
    "deliveryStatus",
    "dsnBlobIds",
    "mdnBlobIds",
)
_WAITS = (DeliveryState.DUE, DeliveryState.HELD)
_DELIVERED = {
    DeliveryState.DELIVERED: "yes",
    DeliveryState.BOUNCED: "no",
    DeliveryState.EXPIRED: "no",
    DeliveryState.DROPPED: "no",
}
Responses = list[tuple[str, dict[str, Any]]]


async def submission_json(context: Context, submission: Submission) -> dict[str, Any]:
    """Return the EmailSubmission object, with what became of it."""
    deliveries = await _deliveries(context, submission)
    return {
        "id": show(Kind.SUBMISSION, submission.id),
        "identityId": show(Kind.IDENTITY, submission.identity),
        "emailId": show(Kind.EMAIL, submission.email),
        "threadId": show(Kind.THREAD, submission.thread),
        "envelope": msgspec.json.decode(submission.envelope),
        "sendAt": utc_text(submission.sent_at),
        "undoStatus": undo_status(deliveries),
        "deliveryStatus": _statuses(deliveries) or None,
        "dsnBlobIds": [],
        "mdnBlobIds": [],
    }


async def _deliveries(context: Context, submission: Submission) -> list[Delivery]:
    found: list[Delivery] = []
    for message in (submission.message, *submission.copies):
        found += await context.desk.queue.deliveries(message)
    return found


def undo_status(deliveries: list[Delivery]) -> str:
    """Return whether all of a message waits still, was stopped, or at least began to go."""
    states = {each.state for each in deliveries}
    if states == {DeliveryState.DROPPED}:
        return "canceled"
    if deliveries and all(each.state in _WAITS and not each.attempts for each in deliveries):
        return "pending"
    return "final"


def _statuses(deliveries: list[Delivery]) -> dict[str, Any]:
    found = {}
    for each in deliveries:
        reply = each.last or Reply(250, "2.0.0", "Ok: queued")
        found[str(each.original)] = {
            "smtpReply": str(reply),
            "delivered": _DELIVERED.get(each.state, "queued"),
            "displayed": "unknown",
        }
    return found


def _state(submissions: list[Submission]) -> str:
    return show(Kind.SUBMISSION, submissions[0].id) if submissions else "none"


async def submission_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return submissions."""
    context.own_account(arguments)
    ids = arguments.ids("ids")
    properties = wanted_properties(arguments, PROPERTIES)
    arguments.done()
    known = await context.desk.emails.submissions(context.number)
    by_id = {show(Kind.SUBMISSION, each.id): each for each in known}
    wanted = list(by_id) if ids is None else list(dict.fromkeys(ids))
    at_most(context, len(wanted))
    found, not_found = [], []
    for each in wanted:
        submission = by_id.get(str(context.meant(each)))
        if submission is None:
            not_found.append(each)
        else:
            whole = await submission_json(context, submission)
            found.append({name: whole[name] for name in properties})
    return get_response(context, _state(known), found, not_found)


async def submission_changes(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Tell what was sent since."""
    context.own_account(arguments)
    old, limit = arguments.state("sinceState"), arguments.number("maxChanges", 1)
    arguments.done()
    known = await context.desk.emails.submissions(context.number)
    states = [show(Kind.SUBMISSION, each.id) for each in known]
    if old not in (*states, "none") or (old == "none" and len(states) > 900):
        raise MethodError("cannotCalculateChanges", "what changed since then is not known any more")
    fresh = states if old == "none" else states[: states.index(old)]
    told = fresh[::-1] if limit is None else fresh[::-1][:limit]
    return {
        "accountId": context.account_id,
        "oldState": old,
        "newState": told[-1] if told else old,
        "hasMoreChanges": len(told) < len(fresh),
        "created": told,
        "updated": [],
        "destroyed": [],
    }


_CONDITIONS = ("identityIds", "emailIds", "threadIds", "undoStatus", "before", "after")


async def submission_query(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Find submissions."""
    context.own_account(arguments)
    where, sort = arguments.objects("filter") or {}, arguments.list_of_objects("sort") or []
    page = Page.take(arguments)
    arguments.done()
    known = await context.desk.emails.submissions(context.number)
    found = []
    for submission in known:
        whole = await submission_json(context, submission)
        if all(_fits(whole, name, value) for name, value in where.items()):
            found.append(whole)
    for criterion in reversed(sort):
        name = {"sentAt": "sendAt"}.get(str(criterion.get("property")), criterion.get("property"))
        if name not in ("emailId", "threadId", "sendAt"):
            raise MethodError("unsupportedSort", "submissions are not sorted like that")
        ascending = criterion.get("isAscending") is not False
        found.sort(key=itemgetter(str(name)), reverse=not ascending)
    return {
        "accountId": context.account_id,
        "queryState": _state(known),
        "canCalculateChanges": False,
        **page.cut([each["id"] for each in found], context.desk.settings.limits.max_objects_in_get),
    }


def _fits(whole: dict[str, Any], name: str, value: Any) -> bool:
    if name not in _CONDITIONS:
        raise MethodError("unsupportedFilter", f"there is no condition {name[:80]!r}")
    if name == "undoStatus":
        return bool(whole["undoStatus"] == value)
    if name in ("before", "after"):
        return bool(whole["sendAt"] < str(value)) == (name == "before")
    return isinstance(value, list) and str(whole[name.removesuffix("s")]) in value


async def submission_set(context: Context, arguments: Arguments) -> Responses:
    """Send emails, and stop what waits still; then change the emails as the client asked for that case
    (RFC 8621 §7.5), which is the second response.
    """
    given = SetArguments(context, arguments)
    update_after = arguments.table("onSuccessUpdateEmail")
    destroy_after = arguments.texts("onSuccessDestroyEmail") or []
    arguments.done()
    await context.state()
    old = _state(await context.desk.emails.submissions(context.number))
    given.require_state(old)
    work = SetWork(context, Kind.SUBMISSION)
    emails: dict[str, str] = {}
    for name, properties in given.create.items():
        try:
            submission = await _create(work, name, properties)
            emails[f"#{name}"] = show(Kind.EMAIL, submission.email)
        except SetError as error:
            work.not_created[name] = error
    for each, patch in given.update.items():
        try:
            emails[each] = await _update(work, each, patch)
        except SetError as error:
            work.not_updated[each] = error
    for each in given.destroy:
        work.not_destroyed[each] = SetError("forbidden", "what was sent is remembered for a while")
    new = _state(await context.desk.emails.submissions(context.number))
    responses: Responses = [("EmailSubmission/set", work.response(old, new))]
    follow = {
        "accountId": context.account_id,
        "update": {emails[each]: patch for each, patch in update_after.items() if each in emails},
        "destroy": [emails[each] for each in destroy_after if each in emails],
    }
    if follow["update"] or follow["destroy"]:
        responses.append(("Email/set", follow))
    return responses


async def _create(work: SetWork, name: str, given: Mapping[str, Any]) -> Submission:
    context = work.context
    for unknown in given.keys() - {"identityId", "emailId", "envelope"}:
        if unknown not in PROPERTIES or given[unknown] is not None:
            raise invalid("the server sets it, or there is no such property", unknown[:80])
    identity = context.read(Kind.IDENTITY, given.get("identityId"))
    if identity not in [each.id for each in await identities_of(context)]:
        raise invalid("there is no such identity", "identityId")
    assert identity is not None, "or it would not be among them"
    number = context.read(Kind.EMAIL, given.get("emailId"))
    emails = [] if number is None else await context.desk.emails.emails(context.number, [number])
    if not emails:
        raise invalid("there is no such email", "emailId")
    sending = Sending(context, emails[0], given.get("envelope"))
    message, *copies = await sending.send()
    now = context.desk.clock.now()
    submission = Submission(
        context.desk.entropy.id(),
        context.number,
        identity,
        emails[0].id,
        emails[0].thread,
        message,
        sending.release_at or now,
        msgspec.json.encode(sending.envelope_json()).decode(),
        tuple(copies),
    )
    await context.desk.commit(Submitted(now, submission, context.desk.settings.keep_submissions))
    whole = await submission_json(context, submission)
    shown = show(Kind.SUBMISSION, submission.id)
    context.created[name] = shown
    work.created[name] = {
        key: whole[key] for key in ("id", "threadId", "sendAt", "undoStatus", "envelope")
    }
    return submission


async def _update(work: SetWork, each: str, patch: dict[str, Any]) -> str:
    context = work.context
    number = context.read(Kind.SUBMISSION, each)
    known = await context.desk.emails.submissions(context.number)
    submission = next((one for one in known if one.id == number), None)
    if submission is None:
        raise SetError("notFound", "there is no such submission")
    if patch != {"undoStatus": "canceled"}:
        raise invalid("only undoStatus is changed, to canceled", *(path[:80] for path in patch))
    deliveries = await _deliveries(context, submission)
    if undo_status(deliveries) != "pending":
        raise SetError("cannotUnsend", "it is on its way already")
    keys = tuple((one.message, one.ordinal) for one in deliveries)
    by = f"{context.address} (JMAP)"
    now = context.desk.clock.now()
    await context.desk.commit(Dropped(now, by, keys, cancelled=True))
    if undo_status(await _deliveries(context, submission)) != "canceled":
        raise SetError("cannotUnsend", "part of it was on its way already; the rest was stopped")
    work.updated[each] = None
    return show(Kind.EMAIL, submission.email)
