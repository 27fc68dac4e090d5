"""Answers that nobody writes: to which mail there is one, and what it says (RFC 3834).

Only mail that a person wrote to a person is answered: nothing from lists, no reports, no answers of
other machines, and nothing where the owner is not named as a recipient.
"""

from collections.abc import Collection

from postroad.message.compose import Letter, Person, compose
from postroad.message.header import Header
from postroad.message.mime import addresses_of
from postroad.message.mime.forms import as_message_ids, as_text
from postroad.model import Address, InvalidAddress, Vacation

MAX_SUBJECT = 200
_MAX_IDS = 20
_RECIPIENTS = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")
_LISTS = tuple(
    f"list-{each}" for each in ("id", "post", "unsubscribe", "help", "owner", "subscribe")
)
_MACHINES = frozenset(
    [
        "mailer-daemon",
        "postmaster",
        "listserv",
        "majordomo",
        "noreply",
        "no-reply",
        "donotreply",
        "do-not-reply",
    ]
)


def why_not(header: Header, sender: Address | None, own: Collection[Address]) -> str:
    """Return why a message is not answered, ``""`` where it is (RFC 3834 §2, RFC 5230 §4.6). `own` are
    the addresses by which its recipient is known.
    """
    if sender is None:
        return "it has no sender"
    if any(sender.folded == each.folded for each in own):
        return "it comes from the account itself"
    local = sender.local_part.lower()
    if local in _MACHINES or local.startswith("owner-") or local.endswith(("-request", "-owner")):
        return "its sender is no person"
    automatic = header.get("auto-submitted")
    if automatic is not None and automatic.partition(";")[0].strip().lower() != "no":
        return "it was sent by a machine"
    if any(header.count(name) for name in _LISTS):
        return "it comes from a list"
    if (header.get("precedence") or "").strip().lower() in ("bulk", "list", "junk"):
        return "it was sent to many"
    if header.count("x-auto-response-suppress") or header.count("feedback-id"):
        return "it wants no answer by a machine"
    if (header.get("content-type") or "").lstrip().lower().startswith("multipart/report"):
        return "it is a report"
    named = _named(header)
    if not any(each.folded in named for each in own):
        return "the account is not among those it is addressed to"
    return ""


def _named(header: Header) -> set[str]:
    found = set()
    for name in _RECIPIENTS:
        for value in header.get_all(name):
            for each in addresses_of(value.encode("utf-8", "replace")):
                try:
                    found.add(Address.parse(each.address).folded)
                except InvalidAddress:
                    continue
    return found


def build_answer(vacation: Vacation, header: Header, author: Address, to: Address) -> bytes:
    """Return the answer (RFC 3834 §3.1), without Date and Message-ID. Raises `LetterInvalid`."""
    about = _one_line(as_text((header.get("subject") or "").encode("utf-8", "replace")))
    subject = vacation.subject
    if subject is None:
        subject = f"Auto: {about}" if about else "Automatic answer"
    text = vacation.text
    if text is None and vacation.html is None:
        text = f"{author} is away, and will read your message later.\n"
    ids = as_message_ids((header.get("message-id") or "").encode("utf-8", "replace")) or []
    before = as_message_ids((header.get("references") or "").encode("utf-8", "replace")) or []
    fields = [("Auto-Submitted", "auto-replied")]
    if ids:
        fields.append(("In-Reply-To", f"<{ids[0]}>"))
        chain = [*before[-_MAX_IDS:], ids[0]]
        fields.append(("References", " ".join(f"<{each}>" for each in chain)))
    return compose(
        Letter(
            author=Person(author),
            to=(Person(to),),
            subject=_one_line(subject),
            text=text,
            html=vacation.html,
            fields=tuple(fields),
        )
    )


def _one_line(text: str) -> str:
    shown = "".join(each if each.isprintable() else " " for each in text[: 4 * MAX_SUBJECT])
    return " ".join(shown.split())[:MAX_SUBJECT]
