"""Messages made of a template: what `template` and `data` of a message to send come to."""

import msgspec
from msgspec.structs import replace

from postroad.service.templates import NoTemplate, Templates
from postroad.web.api.shapes import MessageIn
from postroad.web.problem import FieldProblem, Problem, invalid


async def filled(given: MessageIn, templates: Templates, by: str) -> MessageIn:
    """Return the message with subject, text and HTML of its template, if it has one. `by` is who asks.

    Raises `Problem`, and `NotRendered` (422) that names the variable that is missing.
    """
    if given.template is None:
        if given.data is not None:
            raise invalid("data", "is for a template, and none is named")
        return given
    for field in ("subject", "text", "html"):
        if getattr(given, field):
            raise invalid(field, "comes from the template")
    try:
        data = msgspec.json.encode(given.data or {}).decode()
        made = await templates.render(given.template, data, by=by)
    except NoTemplate as error:
        told = [FieldProblem("template", "there is no live template of that name")]
        raise Problem(422, "template", str(error), errors=told) from None
    return replace(given, subject=made.subject, text=made.text, html=made.html or None)
