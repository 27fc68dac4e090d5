"""Email/set (RFC 8621 §4.6): drafts are made, keywords set, emails moved and destroyed.

An email is in exactly one mailbox (``maxMailboxesPerEmail`` is 1), so another in its place moves it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from postroad.model import (
    MAX_KEYWORDS,
    Change,
    Expunged,
    Flagged,
    InvalidKeyword,
    Moved,
    parse_keyword,
    unpack_keywords,
)
from postroad.ports import Box, Conflict, Email
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_make import make_message
from postroad.service.jmap.filing import Filing, file_message, made_json
from postroad.service.jmap.ids import Kind, show
from postroad.service.jmap.standard import SetArguments, SetWork
from postroad.wire.jmap import Arguments, SetError, patched
from postroad.wire.jmap.errors import invalid

_ABOUT = ("mailboxIds", "keywords", "receivedAt")
_STEP = 100
"""Emails that one commit changes."""


async def email_set(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Make, change and destroy emails."""
    given = SetArguments(context, arguments)
    arguments.done()
    old = str(await context.state())
    given.require_state(old)
    work = SetWork(context, Kind.EMAIL)
    boxes = {box.id: box for box in await context.desk.emails.boxes(context.number)}
    for name, properties in given.create.items():
        try:
            await _create(work, boxes, name, properties)
        except SetError as error:
            work.not_created[name] = error
    await _update(work, boxes, given.update)
    await _destroy(work, given.destroy)
    return work.response(old, str(await context.state()))


async def _create(
    work: SetWork, boxes: Mapping[int, Box], name: str, given: Mapping[str, Any]
) -> None:
    context = work.context
    mailbox = one_mailbox(context, boxes, given.get("mailboxIds"))
    keywords = parse_keywords(given.get("keywords"))
    received_at = parse_received_at(context, given.get("receivedAt"))
    number = context.desk.entropy.id()
    made = {key: value for key, value in given.items() if key not in _ABOUT}
    data = await make_message(context, made, number)
    filing = Filing(mailbox, keywords, received_at)
    email = await file_message(context, filing, data, number)
    work.created[name] = made_json(context, name, email)


async def _update(
    work: SetWork, boxes: Mapping[int, Box], update: Mapping[str, dict[str, Any]]
) -> None:
    context = work.context
    numbers = {each: context.read(Kind.EMAIL, each) for each in update}
    emails = {
        each.id: each
        for each in await context.desk.emails.emails(
            context.number, [number for number in numbers.values() if number is not None]
        )
    }
    planned: dict[str, list[Change]] = {}
    for each, patch in update.items():
        email = emails.get(numbers[each] or -1)
        try:
            if email is None:
                raise SetError("notFound", "there is no such email")
            planned[each] = _planned(context, boxes, email, patch)
        except SetError as error:
            work.not_updated[each] = error
    ids = list(planned)
    for start in range(0, len(ids), _STEP):
        some = ids[start : start + _STEP]
        try:
            together = _merged([change for each in some for change in planned[each]])
            await context.desk.commit(*await _with_lessons(context, boxes, together))
        except Conflict as conflict:
            for each in some:
                work.not_updated[each] = SetError("serverFail", str(conflict))
        else:
            work.updated |= dict.fromkeys(some)


def _planned(
    context: Context, boxes: Mapping[int, Box], email: Email, patch: dict[str, Any]
) -> list[Change]:
    keywords = unpack_keywords(email.flags, email.keywords)
    before = {
        "mailboxIds": {show(Kind.MAILBOX, email.mailbox): True},
        "keywords": dict.fromkeys(keywords, True),
    }
    for path in patch:
        if path.partition("/")[0] not in before:
            unchanged = ("id", "blobId", "threadId", "size", "receivedAt")
            if path in ("id",) and context.read(Kind.EMAIL, patch[path]) == email.id:
                continue
            kind = "cannot be changed" if path in unchanged else "is not changed so"
            raise invalid(f"{path[:80]!r} {kind}", path[:80])
    resolved = {_meant(context, path): value for path, value in patch.items() if path != "id"}
    after = patched(before, resolved)
    now = context.desk.clock.now()
    changes: list[Change] = []
    wanted = parse_keywords(after["keywords"])
    if wanted != keywords:
        add, remove = tuple(sorted(wanted - keywords)), tuple(sorted(keywords - wanted))
        changes.append(Flagged(now, email.mailbox, (email.uid,), add, remove))
    mailbox = one_mailbox(context, boxes, after["mailboxIds"])
    if mailbox != email.mailbox:
        names = boxes[email.mailbox].name, boxes[mailbox].name
        by = f"{context.address} (JMAP)"
        changes.append(Moved(now, email.mailbox, mailbox, (email.uid,), by, *names))
    return changes


def _meant(context: Context, path: str) -> str:
    """Creation ids may stand for mailboxes in paths, too."""
    name, slash, rest = path.partition("/")
    if slash and name == "mailboxIds" and rest.startswith("#"):
        return f"{name}/{context.meant(rest)}"
    if slash and name == "keywords":
        return f"{name}/{rest.lower()}"
    return path


def _merged(changes: Sequence[Change]) -> list[Change]:
    """Put changes together that do the same to several emails; keywords first, since moving gives uids
    anew.
    """
    flagged: dict[tuple[int, tuple[str, ...], tuple[str, ...]], list[Flagged]] = {}
    moved: dict[tuple[int, int], list[Moved]] = {}
    for change in changes:
        if isinstance(change, Flagged):
            flagged.setdefault((change.mailbox, change.add, change.remove), []).append(change)
        elif isinstance(change, Moved):
            moved.setdefault((change.mailbox, change.into), []).append(change)
    found: list[Change] = []
    for (mailbox, add, remove), same in flagged.items():
        uids = tuple(uid for each in same for uid in each.uids)
        found.append(Flagged(same[0].at, mailbox, uids, add, remove))
    for (mailbox, into), alike in moved.items():
        uids = tuple(uid for each in alike for uid in each.uids)
        one = alike[0]
        found.append(Moved(one.at, mailbox, into, uids, one.by, one.from_name, one.into_name))
    return found


async def _with_lessons(
    context: Context, boxes: Mapping[int, Box], changes: list[Change]
) -> list[Change]:
    """What is moved into Junk, or out of it, teaches."""
    lessons = context.desk.lessons
    if lessons is None:
        return changes
    found = list(changes)
    for change in changes:
        if isinstance(change, Moved):
            entries = await context.desk.mailboxes.entries(change.mailbox, change.uids)
            found += await lessons.of_move(
                context.number, entries, change.from_name, change.into_name
            )
    return found


async def _destroy(work: SetWork, ids: Sequence[str]) -> None:
    context = work.context
    numbers = {each: context.read(Kind.EMAIL, each) for each in dict.fromkeys(ids)}
    emails = {
        each.id: each
        for each in await context.desk.emails.emails(
            context.number, [number for number in numbers.values() if number is not None]
        )
    }
    by_mailbox: dict[int, list[tuple[str, int]]] = {}
    for each, number in numbers.items():
        email = emails.get(number or -1)
        if email is None:
            work.not_destroyed[each] = SetError("notFound", "there is no such email")
        else:
            by_mailbox.setdefault(email.mailbox, []).append((each, email.uid))
    for mailbox, gone in by_mailbox.items():
        uids = tuple(uid for _, uid in gone)
        await context.desk.commit(Expunged(context.desk.clock.now(), mailbox, uids))
        work.destroyed += [each for each, _ in gone]


def one_mailbox(context: Context, boxes: Mapping[int, Box], given: Any) -> int:
    """Return the mailbox that an email is to be in. Raises `SetError`."""
    if (
        not isinstance(given, dict)
        or not given
        or any(value is not True for value in given.values())
    ):
        raise invalid("an email is in a mailbox: {id: true}", "mailboxIds")
    if len(given) > 1:
        raise SetError("tooManyMailboxes", "an email is in one mailbox")
    number = context.read(Kind.MAILBOX, next(iter(given)))
    if number is None or number not in boxes:
        raise invalid("there is no such mailbox", "mailboxIds")
    return number


def parse_keywords(given: Any) -> frozenset[str]:
    """Return keywords. Raises `SetError`."""
    if given is None:
        return frozenset()
    if not isinstance(given, dict) or any(value is not True for value in given.values()):
        raise invalid("keywords are {keyword: true}", "keywords")
    if len(given) > MAX_KEYWORDS:
        raise SetError("tooManyKeywords", f"an email has at most {MAX_KEYWORDS} keywords")
    try:
        return frozenset(parse_keyword(each) for each in given)
    except InvalidKeyword as error:
        raise invalid(str(error), "keywords") from None


def parse_received_at(context: Context, given: Any) -> float:
    """Return when an email is to have come, now where that is not said. Raises `SetError`."""
    if given is None:
        return context.desk.clock.now()
    try:
        if not isinstance(given, str) or not given.endswith("Z"):
            raise ValueError
        return datetime.fromisoformat(given).timestamp()
    except ValueError:
        raise invalid("it has to be a date like 2026-11-25T12:00:00Z", "receivedAt") from None
