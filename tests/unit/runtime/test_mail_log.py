"""The log of mail."""

import asyncio
from pathlib import Path

from structlog.testing import capture_logs

from postroad.lab.faults import Behaviour, FaultStage, Script
from postroad.message.bounce.classify import classify
from postroad.model import Bounced, Complained, Dropped, Held, PutOff, Reply, format_id
from postroad.runtime.compose import System
from postroad.runtime.mail_log import MailLog
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import FAR, accept, commit
from tests.unit.runtime.test_outbound import DNS, config, hosts, states, submit


async def test_every_line_has_the_id_and_what_happened(tmp_path: Path) -> None:
    script = Script(
        behaviour=Behaviour.PERMFAIL,
        stage=FaultStage.RCPT,
        reply=Reply(550, "5.1.1", "no such user"),
        times=1,
    )
    async with hosts(script) as (host,):
        settings = config(tmp_path, host.port, log={"mail": True})
        async with System.open(settings, resolver=DNS) as system:
            with capture_logs() as logs:
                await system.start()
                await asyncio.sleep(0.1)
                await submit(system)
                await states(system, ["bounced", "bounced"])
                await submit(system)
                await states(system, ["bounced", "bounced", "delivered"])
                await asyncio.sleep(1.5)
    mail = [each for each in logs if each["event"] in ("accepted", "bounced", "delivered")]
    about = [(each["event"], each["sender"]) for each in mail]
    assert about.count(("accepted", "jo@here.test")) == 2
    (bounce,) = [each for each in mail if each.get("to") == "a@there.test" and "category" in each]
    assert bounce["category"] == "no-such-user"
    assert bounce["reply"] == "550 5.1.1 no such user"
    (delivery,) = [each for each in mail if each["event"] == "delivered"]
    assert (delivery["host"], delivery["address"]) == ("mx.there.test", "127.0.0.31")
    assert delivery["age"] >= delivery["seconds"] >= 0
    assert {each["id"] for each in mail if each["sender"]} == {
        each["id"] for each in mail if each["event"] == "accepted" and each["sender"]
    }


async def test_what_operators_and_others_do_to_it() -> None:
    store = MemoryStore()
    message = await accept(store, FAR)
    key = (message.id, 0)
    await commit(store, Held(110.0, "ann", (key,)), Dropped(120.0, "ann", (key,)))
    await commit(
        store,
        Bounced(
            130.0, message.id, 0, 9, True, Reply(550, "5.1.1", "no"), "no-such-user", True, "mx"
        ),
        Complained(140.0, message.id, 0, 9, "abuse", "isp"),
    )
    events = await store.journey.after(0)
    later = PutOff(150.0, 900.0, Reply(451, "4.7.0", "the cap is reached"), (key,))
    with capture_logs() as logs:
        log = MailLog(store.queue, classify)
        await log.tell(events)
        await MailLog(store.queue, classify).tell([type(events[0])(99, 150.0, later)])
    assert [each["event"] for each in logs] == [
        "accepted",
        "held",
        "dropped",
        "bounced later",
        "complained",
        "put off",
    ]
    assert {each["id"] for each in logs} == {format_id(message.id)}
    assert logs[-1]["reason"] == "the cap is reached"
    assert logs[-1]["to"] == [str(FAR)]
