"""Several rendering processes: real ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from postroad.model import RenderJob, RenderLimits, TemplateSource
from postroad.ports import TemplateFailed
from postroad.runtime.rendering.client import RenderingProcess
from postroad.runtime.rendering.pool import RenderingPool

_LOOP = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}"


def job(text: str = "Hi", fuel: int = 1_000_000) -> RenderJob:
    return RenderJob(TemplateSource("s", text=text), None, msgspec.Raw(b"{}"), RenderLimits(fuel))


@asynccontextmanager
async def pool(
    processes: int = 2, max_waiting: int = 1000, seconds: float = 10.0
) -> AsyncIterator[RenderingPool]:
    renderer = RenderingPool(
        lambda: RenderingProcess(seconds=seconds), processes=processes, max_waiting=max_waiting
    )
    try:
        yield renderer
    finally:
        await renderer.close()


async def test_a_slow_template_holds_up_its_owner_alone() -> None:
    async with pool(seconds=2.0) as renderer:
        await asyncio.gather(renderer.render(job(), "a"), renderer.render(job(), "b"))
        slow = [
            asyncio.ensure_future(renderer.render(job(_LOOP, 1_000_000_000), "slow"))
            for _ in range(3)
        ]
        await asyncio.sleep(0)
        for _ in range(20):
            assert (await renderer.render(job(), "quick")).text == "Hi"
        assert not any(each.done() for each in slow), "they are still at it"
        for each in slow[1:]:
            each.cancel()
        with pytest.raises(TemplateFailed):
            await slow[0]
        await asyncio.gather(*slow, return_exceptions=True)
        assert (await renderer.render(job(), "slow")).text == "Hi"


async def test_one_process_does_where_nothing_is_slow() -> None:
    async with pool() as renderer:
        for _ in range(3):
            await renderer.render(job(), "a")
        assert [each.pid is None for each in renderer.processes] == [False, True]


async def test_so_many_may_wait_and_half_of_them_of_one() -> None:
    async with pool(processes=1, max_waiting=4) as renderer:
        own = [renderer.render(job(), "a") for _ in range(3)]
        others = [renderer.render(job(), "b") for _ in range(2)]
        more = [renderer.render(job(), "c")]
        made = await asyncio.gather(*own, *others, *more, return_exceptions=True)
        refused = [isinstance(each, BlockingIOError) for each in made]
        assert refused == [False, False, True, False, False, True]
        assert "of yours" in str(made[2])
        assert (await renderer.render(job(), "a")).text == "Hi"
