"""Requests with one idempotency key, while the server is killed: one message, whatever is answered."""

import asyncio
import random
from pathlib import Path

import httpx

from peers.tools import free_port
from postroad.model import Address, ApiScope
from postroad.ports import MessageQuery
from postroad.runtime.config import load_config
from postroad.runtime.office import Office
from tests.unit.runtime.served import Served, environment, write_config

ROUNDS = 4
AT_ONCE = 100


async def ask(client: httpx.AsyncClient, key: str, far: bool) -> str | None:
    """Return the receipt, None where there was no answer."""
    asked = {"from": "ann@here.test", "to": "bob@far.test" if far else "ann@here.test", "text": "x"}
    try:
        response = await client.post(
            "/api/v1/messages", json=asked, headers={"Idempotency-Key": key}
        )
    except httpx.TransportError:
        return None
    assert response.status_code == 202, response.text
    return response.text


async def hundred(url: str, token: str, key: str, far: bool) -> list[str | None]:
    limits = httpx.Limits(max_connections=AT_ONCE)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits) as client:
        return await asyncio.gather(*(ask(client, key, far) for _ in range(AT_ONCE)))


async def test_one_message_across_kills(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "data").mkdir()
    config = write_config(tmp_path)
    environ = environment(POSTROAD_LISTEN__HTTP=f"127.0.0.1:{port}")
    loaded = load_config(config, environ)
    async with Office.open(loaded) as office:
        await office.domains.add("here.test")
        await office.accounts.add(Address("ann", "here.test"), "a long enough password")
        token = await office.api_keys.add("k", (ApiScope.SEND,))
    url, chance = f"http://127.0.0.1:{port}", random.Random(1)
    answers: dict[str, set[str]] = {}
    killed_between = 0
    for number in range(ROUNDS):
        key = f"key-{number}"
        answers[key] = set()
        for life in range(2):
            with Served(config, environ) as served:
                await asyncio.to_thread(served.wait_for, "ready")
                asking = asyncio.create_task(hundred(url, token, key, far=number % 2 == 1))
                if life == 0:
                    await asyncio.sleep(chance.uniform(0.05, 0.4))
                    served.process.kill()
                got = await asking
                answers[key] |= {each for each in got if each is not None}
                killed_between += life == 0 and None in got
                if life == 1:
                    assert None not in got
    assert killed_between, "no kill came while requests were in work"
    async with Office.open(loaded) as office:
        query = MessageQuery(sender_domains=("here.test",))
        assert len(await office.store.labels.find(query, 1000)) == ROUNDS
    assert [len(each) for each in answers.values()] == [1] * ROUNDS
