"""Settings of templates."""

from pydantic import Field

from postroad.runtime.config.values import Octets, Seconds, Section

_KIB = 1024


class TemplatesSection(Section):
    """Messages from templates: `postroad template save`, and `/api/v1/templates`. They are rendered in a
    process of their own, which is started when the first is needed.
    """

    max_octets: Octets = Field(
        default=512 * _KIB,
        ge=1,
        le=2**26,
        description="Size of a template with all its parts and its sample.",
    )
    max_data_octets: Octets = Field(
        default=256 * _KIB, ge=2, le=2**26, description="Size of the data for one message, as JSON."
    )
    max_output_octets: Octets = Field(
        default=2048 * _KIB, ge=1, le=2**27, description="Size of each part that comes of it."
    )
    max_data_depth: int = Field(
        default=32,
        ge=1,
        le=100,
        description="How deep objects and lists in the data may be nested.",
    )
    fuel: int = Field(
        default=1_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="Steps of the template engine, for each part: what ends a loop that does not end. "
        "A million takes less than a tenth of a second.",
    )
    render_seconds: Seconds = Field(
        default=5.0,
        ge=0.1,
        le=50,
        description="How long the rendering of one message may take; then its process is killed.",
    )
    processes: int = Field(
        default=2,
        ge=1,
        le=64,
        description="How many processes render at most. A key of the API has all but one of them at "
        "once, so that its slow templates do not hold up others.",
    )
    max_waiting: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="How many messages may wait to be rendered, half of them of one key.",
    )
    max_templates: int = Field(
        default=1000, ge=1, le=1_000_000, description="How many there may be."
    )
    keep_versions: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="Versions kept of each, to roll back to; the live one always is.",
    )
