"""The rendering process: real ones, which are lost, too slow, or too busy."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.model import RenderJob, RenderLimits, TemplateSource
from postroad.ports import TemplateFailed
from postroad.runtime.rendering.client import RenderingProcess

SLOW = (sys.executable, "-c", "import sys, time; sys.stdin.buffer.read(4); time.sleep(60)")


def job(text: str, fuel: int = 1_000_000, **data: Any) -> RenderJob:
    raw = msgspec.Raw(msgspec.json.encode(data))
    return RenderJob(TemplateSource("s", text=text), None, raw, RenderLimits(fuel))


def deep_mjml() -> RenderJob:
    """What overflows the stack of mrml."""
    nested = "<mj-wrapper>" * 20_000
    source = TemplateSource("s", mjml=f"<mjml><mj-body>{nested}")
    return RenderJob(source, None, msgspec.Raw(b"{}"), RenderLimits())


@asynccontextmanager
async def process(**settings: Any) -> AsyncIterator[RenderingProcess]:
    renderer = RenderingProcess(**{"seconds": 10.0, **settings})
    try:
        yield renderer
    finally:
        await renderer.close()


async def test_it_starts_with_the_first_job_and_ends_with_close() -> None:
    async with process() as renderer:
        assert renderer.pid is None
        assert (await renderer.render(job("Hi {{ who }}", who="Ann"))).text == "Hi Ann"
        first = renderer.pid
        assert first is not None
        made = await asyncio.gather(
            *(renderer.render(job("{{ n }}", n=number)) for number in range(50))
        )
        assert [each.text for each in made] == [str(number) for number in range(50)]
        assert renderer.pid == first
    assert renderer.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


async def test_faults_come_back_and_cost_nobody_else() -> None:
    async with process() as renderer:
        with pytest.raises(TemplateFailed) as caught:
            await renderer.render(job("a\n{{ who }}"))
        assert (caught.value.fault.line, caught.value.fault.variable) == (2, "who")
        first = renderer.pid
        assert (await renderer.render(job("fine"))).text == "fine"
        assert renderer.pid == first


async def test_a_template_that_kills_the_process_fails_alone() -> None:
    async with process() as renderer:
        bad, good = await asyncio.gather(
            renderer.render(deep_mjml()), renderer.render(job("fine")), return_exceptions=True
        )
        assert isinstance(bad, TemplateFailed)
        assert "nested" in str(bad)
        assert not isinstance(good, BaseException)
        assert good.text == "fine"


async def test_a_process_that_was_killed_is_started_anew() -> None:
    async with process() as renderer:
        await renderer.render(job("x"))
        first = renderer.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await asyncio.sleep(0.05)
        with contextlib.suppress(TemplateFailed):  # the death is perhaps not known yet
            await renderer.render(job("x"))
        assert (await renderer.render(job("x"))).text == "x"
        assert renderer.pid != first


async def test_what_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad.runtime.rendering.client.START_SECONDS", 0.1)
    async with process(seconds=0.1, command=SLOW) as renderer:
        with pytest.raises(TemplateFailed, match=r"more than 0\.1 s"):
            await renderer.render(job("x"))
        assert renderer.pid is None


async def test_who_gives_up_leaves_no_answer_behind() -> None:
    async with process() as renderer:
        await renderer.render(job("warm"))
        loop = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await renderer.render(job(loop, fuel=100_000_000))
        assert (await renderer.render(job("right"))).text == "right"


async def test_no_process_to_be_had(tmp_path: Path) -> None:
    async with process(command=(str(tmp_path / "nothing"),)) as renderer:
        with pytest.raises(FileNotFoundError):
            await renderer.render(job("x"))
