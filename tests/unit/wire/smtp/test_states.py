from pathlib import Path

import pytest

from postroad.wire.smtp.states import (
    LEGAL,
    TOLERATED,
    TRANSITIONS,
    Outcome,
    State,
    Verb,
    diagram,
    next_state,
    outcome_of_code,
)

DOC = Path(__file__).parents[4] / "docs/reference/smtp-states.md"


def test_the_documented_diagram_is_the_table() -> None:
    drawn = DOC.read_text().split("```mermaid\n")[1].split("```")[0]
    assert drawn == diagram(), f"regenerate the diagram in {DOC}"


def test_every_state_is_reached_and_left() -> None:
    reached = {State.CONNECTED, *TRANSITIONS.values()}
    left = {state for state, _, _ in TRANSITIONS} | {State.CLOSED}
    assert reached == left == set(State)


def test_every_verb_is_legal_somewhere() -> None:
    assert {verb for _, verb in LEGAL} == set(Verb)


def test_nothing_is_tolerated_that_is_in_the_table() -> None:
    assert not set(TOLERATED) & set(TRANSITIONS)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (220, Outcome.DONE),
        (354, Outcome.GO_ON),
        (421, Outcome.PARTED),
        (450, Outcome.REFUSED),
        (550, Outcome.REFUSED),
    ],
)
def test_outcomes(code: int, outcome: Outcome) -> None:
    assert outcome_of_code(code) is outcome


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("verb", list(Verb))
def test_421_ends_everything_and_refusals_never_break(state: State, verb: Verb) -> None:
    assert next_state(state, verb, 421) is State.CLOSED
    assert next_state(state, verb, 550) is not None


def test_what_is_granted_out_of_order_breaks_the_protocol() -> None:
    assert next_state(State.READY, Verb.RCPT, 250) is None
    assert next_state(State.MAIL, Verb.MAIL, 250) is None
    assert next_state(State.RCPT, Verb.DATA, 250) is None
