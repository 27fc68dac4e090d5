"""Every setting in words: for ``postroad config describe``, for the reference, and for ``dump``."""

import ipaddress
import json
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Struct
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from postroad.runtime.config.load import NAMED, SECRETS, section_model, variable
from postroad.runtime.config.root import Config
from postroad.runtime.config.values import Endpoint, Peer

HIDDEN = "********"
_PARTS = ("retry_jitter", "standing_junk_share", "threshold")  # of one; other fractions are seconds


class Setting(Struct, frozen=True):
    """One setting. `name` is dotted; `default` is as TOML would say it, or ``""`` where there is none;
    `bounds` are in words.
    """

    name: str
    type: str
    default: str
    bounds: str
    environment: str
    description: str


def settings() -> list[Setting]:
    """Return all settings in the order of the reference."""
    return [setting for section in Config.model_fields for setting in _of_section(section)]


def _of_section(section: str) -> Iterator[Setting]:
    for key, field in section_model(section).model_fields.items():
        yield Setting(
            name=f"{_title(section)}.{key}",
            type="number" if key in _PARTS else _type_words(field.annotation),
            default=_default(field),
            bounds=_bounds(field),
            environment="" if section in NAMED else variable(section, key),
            description=field.description or "",
        )


_INTRODUCTION = """\
# Settings

<!-- Written by `python -m postroad.runtime.config.describe`; a test compares. -->

Read from `/etc/postroad/postroad.toml`, from the file named by `--config`, or by the variable
`POSTROAD_CONFIG`. A variable `POSTROAD_SECTION__KEY` wins over the file, and
`POSTROAD_SECTION__KEY_FILE` names a file whose first line is the value (for secrets). Lists in
variables are parted by commas; `POSTROAD_ROUTES`, `POSTROAD_STREAMS`, `POSTROAD_SOURCES`,
`POSTROAD_WARMUPS` and `POSTROAD_PROVIDERS` are JSON. Sizes are octets or
`"50 MiB"`, times are seconds or `"5m"`.

`postroad config check` finds mistakes, `postroad config dump` prints what is in force. SIGHUP
(`systemctl reload postroad`) brings changes into force for new connections; `server`, `storage`,
`content`, `queue`, `streams`, `providers`, `delivery.sources`, `http`, `jmap`, `display`,
`reach`, `templates`, `web`, `webhooks`, `pop3`, `auth`, `oauth`, `junk`, `vacation`, `bounces`,
`forwarding.rewrite_sender`, `forwarding.secret`, `forwarding.old_secrets`, `trust.key_wait_seconds`,
`trust.signers` and `trust.signer_max_octets` need a restart, and the log says so.
"""


def reference() -> str:
    """Return docs/reference/config.md."""
    lines = [_INTRODUCTION]
    for section in Config.model_fields:
        model = section_model(section)
        lines += [f"## [{_title(section)}]", "", _one_line(model.__doc__), ""]
        if section in NAMED:
            lines += [Config.model_fields[section].description or "", ""]
        lines += ["| setting | type | default | |", "|---|---|---|---|"]
        for each in _of_section(section):
            key = each.name.rpartition(".")[2]
            default = f"`{each.default}`" if each.default else "none"
            bounds = f" ({each.bounds})" if each.bounds else ""
            lines.append(
                f"| `{key}` | {_cell(each.type)}{bounds} | {_cell(default)} | "
                f"{_cell(each.description)} |"
            )
        lines.append("")
    return "\n".join(lines)


def dump(config: Config) -> str:
    """Return the whole configuration as TOML, passwords hidden."""
    lines: list[str] = []
    values = to_plain(config)
    for section, table in values.items():
        if section in NAMED:
            for name, rule in table.items():
                lines += ["", f"[{section}.{json.dumps(name)}]", *_toml_lines(section, rule)]
        else:
            lines += ["", f"[{section}]", *_toml_lines(section, table)]
    return "\n".join(lines[1:]) + "\n"


def to_plain(config: Config) -> dict[str, Any]:
    """Return the configuration as plain values, passwords hidden."""
    values = config.model_dump(mode="json")
    tables = [table for name, table in values.items() if name not in NAMED]
    tables += [rule for name in NAMED for rule in values[name].values()]
    for table in tables:
        for key in SECRETS & table.keys():
            if table[key]:
                table[key] = HIDDEN
    return values


def _title(section: str) -> str:
    placeholder = _PLACEHOLDERS.get(section)
    return section if placeholder is None else f"{section}.{placeholder}"


_PLACEHOLDERS = {"routes": '"DOMAIN"', **dict.fromkeys(NAMED.keys() - {"routes"}, "NAME")}


def _toml_lines(section: str, table: Mapping[str, Any]) -> list[str]:
    fields = section_model(section).model_fields
    lines = []
    for key, value in table.items():
        if value is not None:
            lines.append(f"{key} = {_toml(value)}")
        elif fields[key].default is None:
            lines.append(f"# {key} is not set")
        else:
            lines.append(f'{key} = ""')  # turned off, though there is a default
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, Enum):
        return _toml(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if value == int(value) and abs(value) < 1e6 else repr(value)
    if isinstance(value, int):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return ""
    if value is None:
        return '""'
    unit = _OCTET_WORDS.get(value) if _is_octets(field) else None
    return _toml(unit or value)


_OCTET_WORDS: dict[Any, str] = {
    number * 2**power: f"{number} {name}"
    for power, name in ((10, "KiB"), (20, "MiB"), (30, "GiB"))
    for number in range(1, 1024)
}


def _is_octets(field: FieldInfo) -> bool:
    validators = (getattr(each, "func", None) for each in field.metadata)
    return any(getattr(each, "__name__", "") == "_to_octets" for each in validators)


def _bounds(field: FieldInfo) -> str:
    least = most = None
    for each in field.metadata:
        least = getattr(each, "ge", least)
        most = getattr(each, "le", most)
    if least is None or most is None:
        return ""
    return f"{_number(least)} to {_number(most)}"


def _number(value: float) -> str:
    return f"{value:,}".replace(",", " ")


def _type_words(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_words(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _type_words(next(a for a in get_args(annotation) if a is not type(None)))
    if origin is tuple:
        return "list of " + _type_words(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{choice.value}`" for choice in annotation)
    return _TYPE_WORDS[annotation]


_TYPE_WORDS: dict[Any, str] = {
    int: "number",
    float: "seconds",
    str: "text",
    bool: "true or false",
    Path: "path",
    Endpoint: "address:port",
    Peer: "host:port",
    ipaddress.IPv4Network: "network",
}


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    Path("docs/reference/config.md").write_text(reference(), encoding="utf-8")
