import re
from pathlib import Path

import pytest

from postroad.wire.pop3 import POP3Server, ServerConfig
from postroad.wire.pop3.states import LEGAL, Outcome, State, Verb, diagram, next_state
from tests.unit.wire.pop3.driving import Driver

PAGE = Path(__file__).parents[4] / "docs/reference/pop3-states.md"
ARGUMENTS = {
    Verb.USER: " x",
    Verb.PASS: " x",
    Verb.AUTH: " PLAIN",
    Verb.RETR: " 1",
    Verb.DELE: " 1",
    Verb.TOP: " 1 1",
}
COMMANDS = [verb for verb in Verb if not verb.startswith("(")]


def test_the_diagram_of_the_docs_is_drawn_from_the_table() -> None:
    (drawn,) = re.findall(r"```mermaid\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert drawn == diagram()


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_machine_knows_each_command_where_the_table_allows_it(verb: Verb) -> None:
    line = f"{verb}{ARGUMENTS.get(verb, '')}\r\n".encode()
    config = ServerConfig(hostname="pop.test", auth_without_tls=True, starttls=True)
    before = Driver(config)
    before.run()
    before.say(b"USER x\r\n")
    after = Driver(config).log_in()
    for state, driver in ((State.AUTHORIZATION, before), (State.TRANSACTION, after)):
        assert driver.machine.state is state
        refused = driver.say(line) == f"-ERR not in {state.name} state\r\n".encode()
        assert refused is ((state, verb) not in LEGAL)


def test_only_quit_leads_to_update() -> None:
    ways = {
        (state, verb)
        for state in State
        for verb in Verb
        for outcome in Outcome
        if next_state(state, verb, outcome) is State.UPDATE and state is not State.UPDATE
    }
    assert ways == {(State.TRANSACTION, Verb.QUIT)}


def test_a_refusal_leaves_the_state_and_a_grant_needs_the_table() -> None:
    assert next_state(State.TRANSACTION, Verb.PASS, Outcome.ERR) is State.TRANSACTION
    assert next_state(State.TRANSACTION, Verb.PASS, Outcome.OK) is None


def test_every_state_has_its_commands() -> None:
    assert set(POP3Server.handlers) == set(State)
    assert POP3Server.handlers[State.UPDATE] == {}
