"""A server that is killed while it tells of mail: no event is lost, and each message's come in order."""

from postroad.lab.world import World
from tests.webhook_receiver import HOST, Receiver, until


async def test_kill_9_loses_no_event() -> None:
    async with World() as world:
        site = await world.add_domain("shop.test", ["orders"], own_process=True)
        await world.add_domain("post.test", ["ann"])
        world.dns.zones.add_zone(HOST)
        world.dns.zones.add(HOST, "A", "127.0.0.1")
        receiver = Receiver(world.ca, "127.0.0.1")
        await receiver.start()
        try:
            _, receiver.secret = await site.office.webhooks.add("shop", receiver.url)
            receiver.delay = 0.3
            sent = []
            for _ in range(3):
                sent += [
                    str(await world.send("orders@shop.test", "ann@post.test")) for _ in range(6)
                ]
                asked = receiver.asked
                await until(lambda least=asked: receiver.asked > least)
                await site.crash()
                await site.restart()
            receiver.delay = 0.0
            await until(lambda: len({each["id"] for each in receiver.got}) >= 2 * len(sent), 60)
            for message in sent:
                first = {
                    each["id"]: each["type"]
                    for each in reversed(receiver.got)
                    if each["data"]["message"] == message
                }
                assert list(first.values())[::-1] == ["accepted", "delivered"], message
        finally:
            await receiver.stop()
