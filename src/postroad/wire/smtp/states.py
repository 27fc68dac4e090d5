"""The one table of transitions, which does not know which side we play.

A transition happens when a command has been answered: (state, verb, outcome) gives the next state.
The server feeds it the replies that it sends, the client those that it receives, in the order of the
commands, so both always agree. A verb is legal where the table has an answer that grants it.
What the table does not name leaves the state as it is if it is a refusal, and breaks the protocol if
it is not. 421 ends everything, from anywhere.
"""

from collections.abc import Iterable
from enum import StrEnum


class State(StrEnum):
    """Where a dialogue stands."""

    __hash__ = str.__hash__  # `Enum` would have it computed by Python at each look-up

    CONNECTED = "Connected"
    UNAVAILABLE = "Unavailable"  # greeted with 554: only QUIT is left (RFC 5321 §3.1)
    GREETED = "Greeted"
    READY = "Ready"
    MAIL = "Mail"
    RCPT = "Rcpt"
    DATA = "Data"
    CHUNKING = "Chunking"
    FAILED = "Failed"  # a BDAT was refused; the client is to say RSET (RFC 3030 §2)
    AUTHENTICATING = "Authenticating"
    HANDSHAKE = "Handshake"
    CLOSED = "Closed"


class Verb(StrEnum):
    """A command, or what is answered like one. EHLO stands for LHLO too."""

    __hash__ = str.__hash__

    OPEN = "(greeting)"
    HELO = "HELO"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    TLS = "(handshake)"
    AUTH = "AUTH"
    RESPONSE = "(response)"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END = "(dot)"
    BDAT = "BDAT"
    BDAT_LAST = "BDAT-LAST"
    RSET = "RSET"
    NOOP = "NOOP"
    HELP = "HELP"
    VRFY = "VRFY"
    EXPN = "EXPN"
    QUIT = "QUIT"


class Outcome(StrEnum):
    """What a reply means for the dialogue."""

    DONE = "2xx"
    GO_ON = "3xx"
    REFUSED = "4xx/5xx"
    PARTED = "421"


_BETWEEN = (
    State.GREETED,
    State.READY,
    State.MAIL,
    State.RCPT,
    State.CHUNKING,
    State.FAILED,
)
_TRANSACTION = (State.MAIL, State.RCPT, State.CHUNKING, State.FAILED)

TRANSITIONS: dict[tuple[State, Verb, Outcome], State] = {
    (State.CONNECTED, Verb.OPEN, Outcome.DONE): State.GREETED,
    (State.CONNECTED, Verb.OPEN, Outcome.REFUSED): State.UNAVAILABLE,
    (State.UNAVAILABLE, Verb.QUIT, Outcome.DONE): State.CLOSED,
    # EHLO may come again at any time and means RSET too (RFC 5321 §4.1.4)
    **{(state, Verb.EHLO, Outcome.DONE): State.READY for state in _BETWEEN},
    **{(state, Verb.HELO, Outcome.DONE): State.READY for state in _BETWEEN},
    # RFC 3207 §4.2: after the handshake both sides start anew
    (State.READY, Verb.STARTTLS, Outcome.DONE): State.HANDSHAKE,
    (State.HANDSHAKE, Verb.TLS, Outcome.DONE): State.GREETED,
    # RFC 4954 §4: not in a transaction
    (State.READY, Verb.AUTH, Outcome.DONE): State.READY,
    (State.READY, Verb.AUTH, Outcome.GO_ON): State.AUTHENTICATING,
    (State.AUTHENTICATING, Verb.RESPONSE, Outcome.GO_ON): State.AUTHENTICATING,
    (State.AUTHENTICATING, Verb.RESPONSE, Outcome.DONE): State.READY,
    (State.AUTHENTICATING, Verb.RESPONSE, Outcome.REFUSED): State.READY,
    # RFC 5321 §3.3: the transaction
    (State.READY, Verb.MAIL, Outcome.DONE): State.MAIL,
    (State.FAILED, Verb.MAIL, Outcome.DONE): State.MAIL,
    (State.MAIL, Verb.RCPT, Outcome.DONE): State.RCPT,
    (State.RCPT, Verb.RCPT, Outcome.DONE): State.RCPT,
    (State.RCPT, Verb.DATA, Outcome.GO_ON): State.DATA,
    (State.DATA, Verb.END, Outcome.DONE): State.READY,
    (State.DATA, Verb.END, Outcome.REFUSED): State.READY,
    # RFC 3030 §2: BDAT instead of DATA
    **{
        (state, verb, outcome): following
        for state in (State.RCPT, State.CHUNKING)
        for verb, outcome, following in (
            (Verb.BDAT, Outcome.DONE, State.CHUNKING),
            (Verb.BDAT, Outcome.REFUSED, State.FAILED),
            (Verb.BDAT_LAST, Outcome.DONE, State.READY),
            (Verb.BDAT_LAST, Outcome.REFUSED, State.FAILED),
        )
    },
    (State.GREETED, Verb.RSET, Outcome.DONE): State.GREETED,
    (State.READY, Verb.RSET, Outcome.DONE): State.READY,
    **{(state, Verb.RSET, Outcome.DONE): State.READY for state in _TRANSACTION},
    # RFC 5321 §4.1.4: at any time, and without effect
    **{
        (state, verb, Outcome.DONE): state
        for state in _BETWEEN
        for verb in (Verb.NOOP, Verb.HELP, Verb.VRFY, Verb.EXPN)
    },
    **{(state, Verb.QUIT, Outcome.DONE): State.CLOSED for state in _BETWEEN},
}

# What a client must live with and our server never says: 354 although no recipient (or not even
# the sender) was accepted (RFC 2920 §3.1). The client then sends a lone dot.
TOLERATED: dict[tuple[State, Verb, Outcome], State] = {
    (State.READY, Verb.DATA, Outcome.GO_ON): State.DATA,
    (State.MAIL, Verb.DATA, Outcome.GO_ON): State.DATA,
}

LEGAL: frozenset[tuple[State, Verb]] = frozenset(
    (state, verb)
    for state, verb, outcome in TRANSITIONS
    if outcome in (Outcome.DONE, Outcome.GO_ON)
)


_OUTCOMES = {
    2: Outcome.DONE,
    3: Outcome.GO_ON,
    4: Outcome.REFUSED,
    5: Outcome.REFUSED,
}


def outcome_of_code(code: int) -> Outcome:
    """Return what the reply code `code` (200 to 599) means for the dialogue. RFC 5321 §4.2.1."""
    return Outcome.PARTED if code == 421 else _OUTCOMES[code // 100]


# The table spelled out for each first digit of a code, so that a look-up is one.
_NEXT: dict[tuple[State, Verb, int], State | None] = {
    (state, verb, digit): TRANSITIONS.get(
        (state, verb, outcome), state if outcome is Outcome.REFUSED else None
    )
    for state in State
    for verb in Verb
    for digit, outcome in _OUTCOMES.items()
}


_CLOSED = State.CLOSED


def next_state(state: State, verb: Verb, code: int) -> State | None:
    """Return the state after `verb` was answered with `code` in `state`; None if that is not legal."""
    return _CLOSED if code == 421 else _NEXT[state, verb, code // 100]


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    edges: dict[tuple[State, State], dict[str, list[str]]] = {}
    for (state, verb, outcome), following in TRANSITIONS.items():
        edges.setdefault((state, following), {}).setdefault(outcome, []).append(verb)
    lines = ["stateDiagram-v2", f"    [*] --> {State.CONNECTED}"]
    for (state, following), labels in edges.items():
        lines.append(f"    {state} --> {following}: {_label(labels.items())}")
    lines.append(f"    {State.CLOSED} --> [*]")
    return "\n".join(lines) + "\n"


def _label(labels: Iterable[tuple[str, list[str]]]) -> str:
    return ", ".join(f"{', '.join(verbs)} → {outcome}" for outcome, verbs in labels)
