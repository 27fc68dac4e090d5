"""Template and data to subject, HTML and text. The languages are those of the libraries: minijinja for
what varies, MJML (mrml) for what shall look the same everywhere; styles go into the elements, since half
of the world's mail programs ignore style sheets.

All three are loaded when first needed. They read what strangers wrote, and mrml overflows its stack
where elements are nested thousands deep: whoever renders for others does so in a process that may be
lost (`runtime.rendering`). Nothing is loaded from the disk or the network.
"""

import re
from typing import TYPE_CHECKING, Any

import msgspec

from postroad.message.template.derived import derive_text
from postroad.model import Rendered, RenderJob, RenderLimits, TemplateSource
from postroad.ports import Fault, TemplateFailed

if TYPE_CHECKING:
    import minijinja

MAX_SUBJECT_LETTERS = 500
CONTENT = "content"
"""What a layout calls what it stands around."""

_MISSING = re.compile(r"`([^`]{1,200})` is undefined")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f\x85\u2028\u2029]")
_ESCAPED = ("html", "mjml")


def render(job: RenderJob) -> Rendered:
    """Return the parts of the message. Raises `TemplateFailed`."""
    source, layout = job.source, job.layout
    data = _data(job.data, job.limits)
    engine = _Engine(job.limits)
    subject = " ".join(engine.fill("subject", source.subject, data).split())
    if _CONTROL.search(subject) or len(subject) > MAX_SUBJECT_LETTERS:
        raise TemplateFailed(
            Fault(f"control characters, or over {MAX_SUBJECT_LETTERS} letters", "subject")
        )
    text = _framed(engine, "text", source, layout, data)
    html = _html(engine, source, layout, data)
    if html and not text:
        text = derive_text(html)
    return Rendered(subject, html, text)


def check_source(source: TemplateSource, layout: TemplateSource | None) -> None:
    """Raise `TemplateFailed` for parts that do not fit together, whatever the data."""
    if source.html and source.mjml:
        raise TemplateFailed(Fault("html and mjml exclude each other"))
    if not (source.html or source.mjml or source.text):
        raise TemplateFailed(Fault("one of html, mjml and text is needed"))
    if layout is None:
        return
    if layout.layout:
        raise TemplateFailed(Fault("a layout cannot have a layout itself"))
    if (source.html and layout.mjml) or (source.mjml and layout.html):
        kind = "mjml" if layout.mjml else "html"
        raise TemplateFailed(Fault(f"the layout is {kind}, so the template must be, too"))


def _html(
    engine: "_Engine",
    source: TemplateSource,
    layout: TemplateSource | None,
    data: dict[str, Any],
) -> str:
    check_source(source, layout)
    if source.mjml:
        html = _of_mjml(_framed(engine, "mjml", source, layout, data), engine.limits)
    else:
        html = _framed(engine, "html", source, layout, data)
    return _styled(html, engine.limits) if html else ""


def _framed(
    engine: "_Engine",
    part: str,
    source: TemplateSource,
    layout: TemplateSource | None,
    data: dict[str, Any],
) -> str:
    inner = engine.fill(part, getattr(source, part), data)
    outer = getattr(layout, part) if layout is not None else ""
    if not inner or not outer:
        return inner
    return engine.fill(f"layout {part}", outer, {**data, CONTENT: engine.as_is(inner)})


class _Engine:
    """minijinja with nothing in it that knows more than the data."""

    def __init__(self, limits: RenderLimits) -> None:
        import minijinja

        self.limits = limits
        self.as_is = minijinja.safe
        self._error = minijinja.TemplateError
        self._environment = minijinja.Environment(
            undefined_behavior="strict",
            fuel=limits.fuel,
            auto_escape_callback=lambda name: name.endswith(_ESCAPED),
        )
        self._environment.remove_global("debug")  # it would tell all of the data

    def fill(self, part: str, text: str, data: dict[str, Any]) -> str:
        """Return the text of a part with the data filled in. Raises `TemplateFailed`."""
        if not text:
            return ""
        try:
            self._environment.add_template(part, text)
            made: str = self._environment.render_template(part, **data)
        except self._error as error:
            raise TemplateFailed(_fault(error, part)) from None
        if part.endswith(_ESCAPED):
            made = made.replace("&#x2f;", "/")  # needless, and it makes addresses unreadable
        _bounded(part, made, self.limits)
        return made


def _fault(error: "minijinja.TemplateError", part: str) -> Fault:
    line = error.line or 0
    words = error.detail or error.message.partition(" (in ")[0]
    if error.kind == "UndefinedError":
        found = _MISSING.search(words)
        if found is not None:
            name = found[1]
            return Fault(f"the variable {name!r} is missing in the data", part, line, name)
    if error.kind == "OutOfFuel":
        words = "it takes too many steps, see templates.fuel"
    return Fault(words, part, line)


def _of_mjml(source: str, limits: RenderLimits) -> str:
    import mrml

    try:
        # A loader that has nothing: includes are refused.
        html: str = mrml.to_html(source).content
    except OSError as error:
        raise TemplateFailed(Fault(str(error), "mjml")) from None
    _bounded("mjml", html, limits)
    return html


def _styled(html: str, limits: RenderLimits) -> str:
    import css_inline

    if "<style" not in html.lower():
        return html
    inliner = css_inline.CSSInliner(
        load_remote_stylesheets=False, keep_link_tags=True, keep_at_rules=True
    )
    try:
        made = inliner.inline(html)
    except ValueError as error:
        raise TemplateFailed(Fault(str(error), "html")) from None
    _bounded("html", made, limits)
    return made


def _bounded(part: str, made: str, limits: RenderLimits) -> None:
    most = limits.max_output_octets
    if len(made) > most or len(made.encode("utf-8", "replace")) > most:
        raise TemplateFailed(
            Fault(f"more than {most} octets come of it, see templates.max_output_octets", part)
        )


def _data(raw: msgspec.Raw, limits: RenderLimits) -> dict[str, Any]:
    try:
        found: Any = msgspec.json.decode(raw) if bytes(raw) else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise TemplateFailed(Fault(f"the data is no JSON: {error}")) from None
    if not isinstance(found, dict):
        raise TemplateFailed(Fault("the data must be a JSON object, like {...}"))
    level: list[Any] = [found]
    depth = 0
    while level:
        depth += 1
        if depth > limits.max_depth:
            raise TemplateFailed(Fault(f"the data is nested more than {limits.max_depth} deep"))
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return found
