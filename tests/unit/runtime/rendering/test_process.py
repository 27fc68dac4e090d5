"""One job after the other, from a stream to a stream."""

import io

import msgspec

from postroad.model import Rendered, RenderJob, RenderLimits, TemplateSource
from postroad.ports import Fault
from postroad.runtime.rendering.process import LENGTH, answer, serve


def encoded(text: str) -> bytes:
    job = RenderJob(TemplateSource("s", text=text), None, msgspec.Raw(b"{}"), RenderLimits())
    return msgspec.json.encode(job)


def test_answers_come_in_order_until_the_jobs_end() -> None:
    jobs = b"".join(LENGTH.pack(len(job)) + job for job in map(encoded, ("a", "{{ x }}")))
    out = io.BytesIO()
    serve(io.BytesIO(jobs + b"\0\0"), out)
    out.seek(0)
    found = []
    while head := out.read(LENGTH.size):
        body = out.read(LENGTH.unpack(head)[0])
        found.append(msgspec.json.decode(body, type=Rendered | Fault))
    assert found[0] == Rendered("s", "", "a")
    assert isinstance(found[1], Fault)
    assert found[1].variable == "x"


def test_rubbish_is_a_fault() -> None:
    assert isinstance(answer(b"{"), Fault)
