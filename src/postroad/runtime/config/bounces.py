"""Settings of what comes back: replies of other servers, bounces, complaints."""

from pathlib import Path

from pydantic import Field

from postroad.runtime.config.values import Section


class BouncesSection(Section):
    """How the replies of other servers, and the bounces they send, are understood."""

    rules: tuple[Path, ...] = Field(
        default=(),
        description="Files (TOML) of rules of your own for what replies mean, before ours: "
        "docs/howto/handle-bounces.md.",
    )
