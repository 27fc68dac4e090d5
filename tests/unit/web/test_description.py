"""The description of the API, and what clients make of it."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.unit.web.site import running


async def test_every_reference_leads_somewhere(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        described = (await site.anyone.get("/api/v1/openapi.json")).json()
        known = described["components"]["schemas"]

        def walk(value: object) -> None:
            if isinstance(value, dict):
                reference = value.get("$ref")
                if isinstance(reference, str):
                    assert reference.removeprefix("#/components/schemas/") in known, reference
                for each in value.values():
                    walk(each)
            elif isinstance(value, list):
                for each in value:
                    walk(each)

        walk(described)
        send = described["paths"]["/api/v1/messages"]["post"]
        assert send["requestBody"]["content"]["application/json"]["schema"]
        assert send["security"] == [{"key": []}]
        assert "202" in send["responses"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A site on a thread of its own: its address, and a key for everything."""
    ready: list[tuple[str, str]] = []
    begun, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with running(tmp_path) as site:
            ready.append((site.url, site.token))
            begun.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert begun.wait(60)
        yield ready[0]
    finally:
        stop.set()
        thread.join()


@schemathesis.serializer("message/rfc822")
def _message(context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode("utf-8", "replace")


EXAMPLES = 6  # for each operation, of what fits and of what does not


def test_no_request_makes_the_server_fail(served: tuple[str, str]) -> None:
    """The whole API, with what fits its description and with what does not: never a 5xx, but for what
    says by itself that it may be asked again.
    """
    url, token = served
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    tried: set[tuple[str, str]] = set()
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        for each in schema.get_all_operations():
            operation: Any = each.ok()  # type: ignore[union-attr]
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                @seed(1)
                @settings(
                    max_examples=EXAMPLES,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def send(case: Any) -> None:
                    arguments = case.as_transport_kwargs(base_url=url, headers=headers)
                    arguments.pop("cookies", None)
                    if isinstance(arguments.get("data"), bytes | str):
                        arguments["content"] = arguments.pop("data")
                    try:
                        response = client.request(**arguments)
                    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):
                        return  # what cannot even be sent
                    tried.add((case.method, case.path))
                    assert response.status_code < 500, (case.method, case.path, response.text)
                    if response.status_code >= 400:
                        assert response.json()["status"] == response.status_code

                try:
                    send()
                except Unsatisfiable:
                    continue  # there is nothing that would not fit
    assert ("POST", "/api/v1/messages") in tried
    assert len(tried) >= 10
