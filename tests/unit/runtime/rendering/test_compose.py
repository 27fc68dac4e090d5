"""Templates as the configuration wants them."""

from pathlib import Path

import pytest

from postroad.model import TemplateSource
from postroad.runtime.config import Config
from postroad.runtime.office import Office
from postroad.service.errors import Refused
from postroad.service.templates import NotRendered


async def test_the_limits_of_the_configuration_hold(tmp_path: Path) -> None:
    section = {"max_octets": 100, "fuel": 1000, "max_output_octets": 50, "max_templates": 1}
    server = {"hostname": "mail.here.test", "data_dir": tmp_path}
    config = Config.model_validate({"server": server, "templates": section})
    async with Office.open(config) as office:
        save = office.templates.save
        with pytest.raises(Refused, match="max_octets"):
            await save("a", TemplateSource(text="x" * 101), by="op")
        with pytest.raises(NotRendered, match="fuel"):
            await save("a", TemplateSource(text="{% for x in range(9999) %}{% endfor %}"), by="op")
        with pytest.raises(NotRendered, match="more than 50"):
            await save("a", TemplateSource(text="x" * 60), by="op")
        await save("a", TemplateSource(text="x"), by="op")
        with pytest.raises(Refused, match="max_templates"):
            await save("b", TemplateSource(text="x"), by="op")
        assert office.renderer.processes[0].pid is not None
    assert [each.pid for each in office.renderer.processes] == [None, None]


async def test_no_process_runs_for_who_uses_none(tmp_path: Path) -> None:
    server = {"hostname": "mail.here.test", "data_dir": tmp_path}
    async with Office.open(Config.model_validate({"server": server})) as office:
        assert await office.templates.list() == []
        assert [each.pid for each in office.renderer.processes] == [None, None]
