"""Dialogues of a server, line by line, replayed from ``tests/traces/smtp-*.txt``.

``#`` a comment; ``! key=value`` a setting of `ServerConfig`; ``! in_one_piece``: not to be cut;
``C:`` a line of the client (CRLF is added); ``C>`` octets of the client with backslash escapes,
nothing added; ``S:`` a line of the server; ``TLS`` the handshake is done; ``CLOSED`` the server
closes. Lines of the client that stand together are sent together.
"""

import ast
from pathlib import Path

import pytest

from postroad.wire.smtp import SMTPServer
from tests.unit.wire.smtp.dialogue import Clerk, config

TRACES = sorted((Path(__file__).parents[3] / "traces").glob("smtp-*.txt"))


def test_there_are_traces() -> None:
    assert len(TRACES) >= 8


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
@pytest.mark.parametrize("step", [1, 1000000])
def test_replay(trace: Path, step: int) -> None:
    lines = [line for line in trace.read_text().splitlines() if line and line[0] != "#"]
    settings: dict[str, object] = {}
    while lines[0].startswith("! "):
        key, _, value = lines.pop(0)[2:].partition("=")
        if key == "in_one_piece":
            step = 1000000
        else:
            settings[key] = ast.literal_eval(value)
    server = SMTPServer(config(**settings), 0.0)
    clerk = Clerk(server)
    clerk.work()
    answer = server.bytes_to_send()
    to_send = b""
    for number, line in enumerate([*lines, "END"]):
        if line.startswith("C: "):
            to_send += line[3:].encode() + b"\r\n"
            continue
        if line.startswith("C> "):
            to_send += ast.literal_eval(f'b"{line[3:]}"')
            continue
        for start in range(0, len(to_send), step):
            server.receive_data(to_send[start : start + step], 1.0)
            clerk.work()
        to_send = b""
        answer += server.bytes_to_send()
        if line.startswith("S: "):
            said, _, answer = answer.partition(b"\r\n")
            assert said.decode() == line[3:], f"line {number} of {trace.name}"
        else:
            assert answer == b"", f"line {number} of {trace.name}"
            if line == "TLS":
                server.tls_started(1.0)
            elif line == "CLOSED":
                assert server.closing
            else:
                assert line == "END", line
