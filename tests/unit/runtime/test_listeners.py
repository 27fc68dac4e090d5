"""Binding ports, and saying what stands in the way."""

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

import pytest

from peers.tools import free_port
from postroad.runtime.config import Config
from postroad.runtime.listeners import CannotListen, Listeners, _explain


def make_config(**listen: Any) -> Config:
    nothing: dict[str, Any] = dict.fromkeys(
        ("mx", "submission", "submissions", "pop3", "pop3s"), ()
    )
    values = nothing | {"local": ""} | listen
    return Config.model_validate({"server": {"hostname": "a.test"}, "listen": values})


def test_a_star_is_every_address_with_one_port() -> None:
    listeners = Listeners.bind(make_config(mx=["*:0"]))
    try:
        bound = listeners.addresses["mx"]
        assert {host for host, _ in bound} in ({"0.0.0.0", "::"}, {"0.0.0.0"})
        assert len({port for _, port in bound}) == 1
    finally:
        listeners.close()


def test_implicit_tls_needs_a_certificate() -> None:
    listeners = Listeners.bind(make_config(submissions=["127.0.0.1:0"], pop3s=["127.0.0.1:0"]))
    assert listeners.addresses == {}


def test_one_that_fails_leaves_none_bound() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = free_port()
        busy = taken.getsockname()[1]
        config = make_config(mx=[f"127.0.0.1:{free}"], pop3=[f"127.0.0.1:{busy}"])
        with pytest.raises(CannotListen) as error:
            Listeners.bind(config)
        assert error.value.problems == [
            f"listen.pop3: 127.0.0.1:{busy}: address already in use; "
            "another program has it (see: ss -ltnp)"
        ]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(CannotListen, match="this machine has no such address"):
        Listeners.bind(make_config(mx=["192.0.2.1:0"]))


def test_a_port_that_needs_privileges() -> None:
    shown = _explain(("mx", "*:25"), PermissionError(errno.EACCES, "Permission denied"))
    assert shown == (
        "listen.mx: *:25: permission denied; start as root with server.user set, or with "
        "CAP_NET_BIND_SERVICE (postroad quickstart --systemd), or listen on a port like 2525"
    )


def test_a_socket_left_behind_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "run" / "submit.sock"
    config = make_config(local=str(path), local_mode="0660")
    first = Listeners.bind(config)
    assert first.local_socket == path
    assert path.stat().st_mode & 0o777 == 0o660
    with pytest.raises(CannotListen, match="address already in use"):
        Listeners.bind(config)
    for bound in first._bound.values():  # as if killed: the file stays
        bound[0].sock.close()
    second = Listeners.bind(config)
    second.close()
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(CannotListen, match="no socket"):
        Listeners.bind(config)
    assert path.read_text() == "precious"


def test_clients_that_come_before_we_serve_are_served() -> None:
    class Greeter(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"hello")
            transport.close()

    async def main() -> None:
        listeners = Listeners.bind(make_config(mx=["127.0.0.1:0"]))
        port = listeners.addresses["mx"][0][1]
        for _ in range(2):  # the second time as after a reload
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await listeners.serve({"mx": Greeter}, None, 10, 30.0)
            assert await reader.read() == b"hello"
            writer.close()
            await writer.wait_closed()
        listeners.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(main())
