"""Settings of checks: which are asked beside the built-in ones, and which only for trial."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from postroad.runtime.config.values import OptionalPath, Section, Strings

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def _references(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not _REFERENCE.fullmatch(value):
            raise ValueError(f"{value!r} names no check; write it as 'package.module:name'")
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{repeated[0]!r} is there twice")
    return values


References = Annotated[Strings, AfterValidator(_references)]


class PolicySection(Section):
    """What may come in, beyond what the other sections say: checks of your own, in Python
    (docs/howto/write-a-check.md). They are asked in this order, behind the built-in ones that only
    look and before those that sign. How long one may take: `limits.check_seconds`.
    """

    checks: References = Field(
        default=(),
        description="Checks to ask, each as `package.module:name`.",
    )
    path: OptionalPath = Field(
        default=None, description="A directory where their modules are looked for first."
    )
    dry_run: Strings = Field(
        default=(),
        description="Names of checks, built-in ones too, whose verdict is only told in the journey: "
        "the mail goes on as if they had accepted it.",
    )
