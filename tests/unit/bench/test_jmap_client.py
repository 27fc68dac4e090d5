"""The IMAP client against a scripted server: an end that it sees too early would look like speed."""

import socket
import threading

import pytest

from bench.jmap_client import ImapClient, JmapFailed


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_it_reads_to_the_end_of_an_answer_at_every_split(cut: int) -> None:
    answer = b'* 1 FETCH (ENVELOPE NIL)\r\n* 2 FETCH (ENVELOPE ("a OK"))\r\na OK done\r\n'
    turns = [
        [b"a OK [CAPABILITY] in\r\n"],
        [b"* 2 EXISTS\r\na OK\r\n"],
        [answer[:cut], answer[cut:]],
    ]
    turns.append([b"a NO never\r\n"])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(b"* OK hello\r\n")
                for pieces in turns:
                    assert connection.recv(4096).startswith(b"a ")
                    for piece in pieces:
                        connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        client = ImapClient(listener.getsockname()[1], "u", "p")
        assert client.command("FETCH 1:2 (ENVELOPE)").endswith(b"a OK done\r\n")
        with pytest.raises(JmapFailed, match="NO never"):
            client.command("NOOP")
        client.close()
        thread.join(5)
