"""The client against a scripted server, since figures that it gets wrong would look like speed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.pop3_client import Pop3Client, Pop3Failed

MESSAGE = b"Subject: a\r\n\r\nbody\r\n..dot\r\n"


@contextmanager
def server(*turns: tuple[bytes, list[bytes]]) -> Iterator[int]:
    """Serve one connection: expect each turn's bytes, answer in its pieces."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(b"+OK hello\r\n")
                for wanted, pieces in turns:
                    got = b""
                    while len(got) < len(wanted) and (more := connection.recv(4096)):
                        got += more
                    assert got == wanted
                    for piece in pieces:
                        connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def test_it_logs_in_and_lists() -> None:
    with (
        server(
            (b"USER a\r\n", [b"+OK\r\n"]),
            (b"PASS b\r\n", [b"+OK\r", b"\n"]),
            (b"STAT\r\n", [b"+OK 2 300\r\n"]),
            (b"UIDL\r\n", [b"+OK\r\n1 x\r\n2", b" y\r\n.", b"\r\n"]),
            (b"UIDL\r\n", [b"+OK\r\n.\r\n"]),
            (b"QUIT\r\n", [b"+OK\r\n"]),
        ) as port,
        Pop3Client("127.0.0.1", port) as client,
    ):
        client.log_in("a", "b")
        assert client.stat() == (2, 300)
        assert client.uidl() == 2
        assert client.uidl() == 0
        client.quit()


@pytest.mark.parametrize("cut", range(1, 5))
def test_it_counts_the_ends_of_pipelined_messages_at_every_split(cut: int) -> None:
    answer = b"+OK\r\n" + MESSAGE + b".\r\n"
    both = answer + answer
    pieces = [both[: len(answer) - cut], both[len(answer) - cut :]]
    third = (b"RETR 3\r\n", [answer])
    with (
        server((b"RETR 1\r\nRETR 2\r\n", pieces), third) as port,
        Pop3Client("127.0.0.1", port) as client,
    ):
        assert client.retrieve_pipelined(1, 3, 2) == 3 * len(answer)


def test_it_reads_one_message_after_another() -> None:
    answer = b"+OK\r\n" + MESSAGE + b".\r\n"
    with (
        server((b"RETR 1\r\n", [answer[:9], answer[9:]]), (b"RETR 2\r\n", [answer])) as port,
        Pop3Client("127.0.0.1", port) as client,
    ):
        assert client.retrieve(1, 2) == 2 * len(answer)


def test_an_error_is_an_error() -> None:
    with (
        server((b"RETR 1\r\n", [b"-ERR gone\r\n"]), (b"STAT\r\n", [b"-ERR no\r\n"])) as port,
        Pop3Client("127.0.0.1", port) as client,
    ):
        with pytest.raises(Pop3Failed, match="gone"):
            client.retrieve(1, 1)
        with pytest.raises(Pop3Failed, match="no"):
            client.stat()
