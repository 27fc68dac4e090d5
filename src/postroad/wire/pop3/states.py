"""The one table of transitions of a POP3 session (RFC 1939 §3).

A transition happens when a command has been answered: (state, verb, outcome) gives the next state. A
verb is legal where the table has an answer that grants it; a refusal that the table does not name
leaves the state as it is.
"""

from collections.abc import Iterable
from enum import StrEnum


class State(StrEnum):
    """Where a session stands."""

    CONNECTED = "Connected"
    AUTHORIZATION = "Authorization"
    AUTHENTICATING = "Authenticating"  # between AUTH and the client's response (RFC 5034 §4)
    HANDSHAKE = "Handshake"
    TRANSACTION = "Transaction"
    UPDATE = "Update"
    CLOSED = "Closed"


class Verb(StrEnum):
    """A command, or what is answered like one."""

    OPEN = "(connection)"
    CAPA = "CAPA"
    USER = "USER"
    PASS = "PASS"
    AUTH = "AUTH"
    RESPONSE = "(SASL response)"
    STLS = "STLS"
    TLS = "(TLS established)"
    UTF8 = "UTF8"
    STAT = "STAT"
    LIST = "LIST"
    RETR = "RETR"
    DELE = "DELE"
    NOOP = "NOOP"
    RSET = "RSET"
    TOP = "TOP"
    UIDL = "UIDL"
    QUIT = "QUIT"
    COMMIT = "(deletions committed)"


class Outcome(StrEnum):
    """What an answer means for the session."""

    OK = "+OK"
    GO_ON = "+"
    ERR = "-ERR"


TRANSITIONS: dict[tuple[State, Verb, Outcome], State] = {
    (State.CONNECTED, Verb.OPEN, Outcome.OK): State.AUTHORIZATION,
    (State.CONNECTED, Verb.OPEN, Outcome.ERR): State.CLOSED,
    **{
        (State.AUTHORIZATION, verb, Outcome.OK): State.AUTHORIZATION
        for verb in (Verb.CAPA, Verb.UTF8, Verb.USER)
    },
    (State.AUTHORIZATION, Verb.PASS, Outcome.OK): State.TRANSACTION,
    # RFC 5034 §4: at once with an initial response, else after the continuation
    (State.AUTHORIZATION, Verb.AUTH, Outcome.OK): State.TRANSACTION,
    (State.AUTHORIZATION, Verb.AUTH, Outcome.GO_ON): State.AUTHENTICATING,
    (State.AUTHENTICATING, Verb.RESPONSE, Outcome.GO_ON): State.AUTHENTICATING,
    (State.AUTHENTICATING, Verb.RESPONSE, Outcome.OK): State.TRANSACTION,
    (State.AUTHENTICATING, Verb.RESPONSE, Outcome.ERR): State.AUTHORIZATION,
    # RFC 2595 §4: after the handshake both sides start anew
    (State.AUTHORIZATION, Verb.STLS, Outcome.OK): State.HANDSHAKE,
    (State.HANDSHAKE, Verb.TLS, Outcome.OK): State.AUTHORIZATION,
    (State.AUTHORIZATION, Verb.QUIT, Outcome.OK): State.CLOSED,
    **{
        (State.TRANSACTION, verb, Outcome.OK): State.TRANSACTION
        for verb in (
            Verb.CAPA,
            Verb.STAT,
            Verb.LIST,
            Verb.RETR,
            Verb.DELE,
            Verb.NOOP,
            Verb.RSET,
            Verb.TOP,
            Verb.UIDL,
        )
    },
    # RFC 1939 §6: only QUIT leads to UPDATE, and only there are messages removed
    (State.TRANSACTION, Verb.QUIT, Outcome.OK): State.UPDATE,
    (State.UPDATE, Verb.COMMIT, Outcome.OK): State.CLOSED,
    (State.UPDATE, Verb.COMMIT, Outcome.ERR): State.CLOSED,
}

LEGAL: frozenset[tuple[State, Verb]] = frozenset(
    (state, verb) for state, verb, outcome in TRANSITIONS if outcome is not Outcome.ERR
)


def next_state(state: State, verb: Verb, outcome: Outcome) -> State | None:
    """Return the state after `verb` was so answered in `state`; None if that is not legal."""
    following = TRANSITIONS.get((state, verb, outcome))
    if following is None and outcome is Outcome.ERR:
        return state
    return following


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
    return "; ".join(f"{', '.join(verbs)} → {outcome}" for outcome, verbs in labels)
