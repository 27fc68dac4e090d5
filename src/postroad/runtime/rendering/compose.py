"""Makes what templates need of a configuration. Nothing runs before the first is rendered."""

from functools import partial

from postroad.model import RenderLimits
from postroad.ports import Clock, Ledger, Renderer, TemplateStore
from postroad.runtime.config import Config
from postroad.runtime.rendering.client import RenderingProcess
from postroad.runtime.rendering.pool import RenderingPool
from postroad.service.templates import Templates, TemplateSettings


def make_renderer(config: Config) -> RenderingPool:
    """Return what renders."""
    section = config.templates
    make = partial(RenderingProcess, seconds=section.render_seconds)
    return RenderingPool(make, processes=section.processes, max_waiting=section.max_waiting)


def make_templates(
    config: Config,
    *,
    ledger: Ledger,
    store: TemplateStore,
    clock: Clock,
    renderer: Renderer,
) -> Templates:
    """Return the use cases of templates."""
    section = config.templates
    limits = RenderLimits(section.fuel, section.max_output_octets, section.max_data_depth)
    settings = TemplateSettings(
        max_octets=section.max_octets,
        max_data_octets=section.max_data_octets,
        max_templates=section.max_templates,
        keep_versions=section.keep_versions,
        limits=limits,
    )
    return Templates(ledger=ledger, store=store, clock=clock, renderer=renderer, settings=settings)
