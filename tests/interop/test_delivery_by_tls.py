"""Our delivery by STARTTLS, over real sockets, to aiosmtpd."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiosmtpd.controller import Controller

from peers.tools import choose_port
from postroad.delivery import DeliverySettings, RelayHost, RemoteDeliverer
from postroad.model import Delivered, TlsPolicy
from postroad.network import (
    AsyncNetwork,
    ClientTls,
    DnsResolver,
    Nameserver,
    ResolverSettings,
    ServerTls,
    SystemClock,
    SystemEntropy,
)
from postroad.ports import Attempt, RouteFailed
from tests.interop.test_delivery_to_smtp_sink import CONTENT, OneContent, job
from tests.unit.network.certificates import Authority


class Keeper:
    def __init__(self) -> None:
        self.contents: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.contents.append(envelope.content)
        return "250 2.0.0 kept"


def deliver(folder: Path, policy: TlsPolicy, name: str) -> tuple[Attempt, Keeper]:
    authority = Authority(folder)
    keeper = Keeper()
    port = choose_port("127.0.0.1", None)
    server = Controller(
        keeper,
        hostname="127.0.0.1",
        port=port,
        tls_context=ServerTls(*authority.issue(name)).context,
        require_starttls=True,
    )
    server.start()
    try:

        async def main() -> Attempt:
            relay = RelayHost("127.0.0.1", port, policy)
            deliverer = RemoteDeliverer(
                resolver=DnsResolver(ResolverSettings(nameservers=(Nameserver("127.0.0.1", 1),))),
                network=AsyncNetwork(ClientTls(authority.path)),
                content=OneContent(CONTENT),
                clock=SystemClock(),
                entropy=SystemEntropy("test"),
                settings=DeliverySettings(hostname="sender.test", smarthosts={"*": relay}),
            )
            session = await deliverer.connect(await deliverer.route("receiver.test"))
            (attempt,) = await session.attempt([job(1, len(CONTENT))])
            await session.close()
            return attempt

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main()), keeper
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("policy", "name", "words"),
    [
        (TlsPolicy.OPPORTUNISTIC, "another.test", "certificate not verified"),
        (TlsPolicy.ENCRYPT, "another.test", "certificate not verified"),
        (TlsPolicy.VERIFY, "127.0.0.1", "certificate verified"),
    ],
)
def test_delivered_by_tls(tmp_path: Path, policy: TlsPolicy, name: str, words: str) -> None:
    attempt, keeper = deliver(tmp_path, policy, name)
    assert isinstance(attempt.outcomes[0][1], Delivered)
    assert attempt.taken is not None
    assert attempt.taken.tls is not None
    assert attempt.taken.tls.startswith("TLSv1.3 ")
    assert any(words in step.text for step in attempt.steps)
    assert keeper.contents == [CONTENT]


def test_wrong_certificate_is_no_delivery(tmp_path: Path) -> None:
    with pytest.raises(RouteFailed) as failed:
        deliver(tmp_path, TlsPolicy.VERIFY, "another.test")
    assert (failed.value.reply.code, failed.value.reply.enhanced) == (451, "4.7.5")
    assert "certificate not valid for 127.0.0.1" in failed.value.reply.text
