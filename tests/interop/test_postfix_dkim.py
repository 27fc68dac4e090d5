"""A receiver of another make: Postfix with OpenDKIM finds both our signatures good, on all real mail."""

import asyncio
import re
from pathlib import Path

from peers.postfix import ByDns, Maildirs, Postfix
from peers.tools import PeerUnavailable
from postroad.lab.world import World
from postroad.message.header import Header
from postroad.service.keys import signing_key
from postroad.trust.dkim import Algorithm
from tests.conformance.report import record
from tests.interop.conftest import Require
from tests.interop.exchange import hand_in, login
from tests.interop.opendkim import milter
from tests.interop.real_mail import crlf, real_mail

ALICE, BOB = "alice@sender.test", "bob@postfix.test"
MX = "mx.postfix.test"


async def test_postfix_and_opendkim_recognise_us(tmp_path: Path, require: Require) -> None:
    for program in ("master", "opendkim"):
        require(program)
    mail = real_mail()
    async with World() as world:
        site = await world.add_domain("sender.test", accounts=["alice"])
        if world.dns.port != 53:
            raise PeerUnavailable("Postfix asks DNS servers on port 53 only, and that needs root")
        await site.office.keys.add("sender.test", (Algorithm.RSA_SHA256,), sign_now=True)
        keys = [signing_key(key) for key in site.office.keys.all("sender.test")]
        zones = world.dns.zones
        address = world.dns.address.rpartition(".")[0] + ".201"
        zones.add_zone("postfix.test")
        zones.add("postfix.test", "MX", f"10 {MX}.")
        zones.add(MX, "A", address)
        port = site.config.delivery.port
        with milter(tmp_path, address, keys, MX) as where:
            postfix = Postfix(
                address,
                port,
                local=Maildirs(["postfix.test"], ["bob"]),
                outbound=ByDns(world.dns.address, site.mx[1]),
                host_name=MX,
                settings={"smtpd_milters": where, "milter_default_action": "tempfail"},
            )
            await asyncio.to_thread(postfix.__enter__)
            try:
                server = world.mailserver("submission", ALICE)
                await hand_in(lambda: login(server), ALICE, [BOB], mail)
                for _ in range(1200):
                    if len(postfix.maildir("bob", "postfix.test")) >= len(mail):
                        break
                    await asyncio.sleep(0.05)
                received = postfix.messages("bob", "postfix.test")
            finally:
                print(postfix.log()[-3_000:])
                await asyncio.to_thread(postfix.__exit__, None, None, None)
    assert len(received) == len(mail)
    good = 0
    for message in received:
        (results, *_) = Header.parse(crlf(message)).get_all("Authentication-Results")
        good += results.startswith(MX) and all(
            re.search(
                rf"dkim=pass[^;]* header\.d=sender\.test[^;]* header\.s={key.selector} ", results
            )
            for key in keys
        )
    record("dkim: Postfix and OpenDKIM verify ours", passed=good, total=len(mail), differences=[])
    assert good == len(mail)
