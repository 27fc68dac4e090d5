"""Reading the configuration: a TOML file, then the environment above it; all mistakes at once.

``POSTROAD_SECTION__KEY`` sets a key, ``POSTROAD_SECTION__KEY_FILE`` sets it to the first line of a file
(for secrets). Lists are parted by commas, `routes` and `streams` are JSON. Nothing is guessed: what is
not understood is an error with its file, key, value and the way to mend it, and the program does not
start.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from postroad.runtime.config.delivery import RouteRule, read_secret
from postroad.runtime.config.root import Config
from postroad.runtime.config.sources import ProviderSection, SourcesSection, WarmupSection
from postroad.runtime.config.streams import StreamSection

DEFAULT_PATH = Path("/etc/postroad/postroad.toml")
PREFIX = "POSTROAD_"
_OURS_TOO = {"POSTROAD_CONFIG"}
_FILE_SUFFIX = "_FILE"
_SWITCHES = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}

SECRETS = frozenset(
    {
        "password",
        "rspamd_password",
        "client_secret",
        "secret_access_key",
        "tsig_secret",
        "eab_hmac_key",
        "secret",
        "old_secrets",
    }
)
"""Keys whose values are never shown."""

NAMED: dict[str, type[BaseModel]] = {
    "routes": RouteRule,
    "streams": StreamSection,
    "sources": SourcesSection,
    "warmups": WarmupSection,
    "providers": ProviderSection,
}
"""Sections that are tables under names that people choose, each of this model."""


class ConfigInvalid(Exception):
    """The configuration cannot be used; `problems` has a line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def config_path(given: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Return the file to read: the one given, ``POSTROAD_CONFIG``, or /etc/postroad/postroad.toml."""
    environ = os.environ if environ is None else environ
    return given or Path(environ.get("POSTROAD_CONFIG") or DEFAULT_PATH)


def load_config(given: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read file and environment. Raises `ConfigInvalid` with all mistakes.

    The default file may be missing where the environment says enough; one that was named may not.
    """
    environ = os.environ if environ is None else environ
    path = config_path(given, environ)
    named = given is not None or bool(environ.get("POSTROAD_CONFIG"))
    problems: list[str] = []
    values = _read_file(path, required=named or not _any_setting(environ))
    sources = _overlay_environment(values, environ, problems)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        found = [_describe(each, path, sources) for each in error.errors(include_url=False)]
        raise ConfigInvalid([*problems, *found]) from None
    if problems:
        raise ConfigInvalid(problems)
    return config


def is_missing(environ: Mapping[str, str] | None = None) -> bool:
    """Whether nobody said anything: no file was named, the default one is not there, and the environment
    has no settings.
    """
    environ = os.environ if environ is None else environ
    named = bool(environ.get("POSTROAD_CONFIG"))
    return not (named or _any_setting(environ) or DEFAULT_PATH.exists())


def _any_setting(environ: Mapping[str, str]) -> bool:
    return any(name.startswith(PREFIX) and "__" in name for name in environ)


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise ConfigInvalid(
            [
                f"{path}: there is no such file; name one by --config, or write one by: "
                "postroad quickstart YOUR.DOMAIN"
            ]
        ) from None
    except OSError as error:
        raise ConfigInvalid([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid([f"{path}: is not TOML: {error}"]) from None


# The environment


def _overlay_environment(
    values: dict[str, Any], environ: Mapping[str, str], problems: list[str]
) -> dict[tuple[str, ...], str]:
    """Lay the variables over `values`; return which variable set which key."""
    sources: dict[tuple[str, ...], str] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in _OURS_TOO:
            continue
        words = name[len(PREFIX) :].lower().split("__")
        known = _setting_of(words)
        if known is None:
            # Other programs of a user's own may have variables of this prefix; only what looks like
            # a setting is taken for a mistake.
            if len(words) > 1:
                problems.append(
                    f"environment: {name}: there is no such setting{_near_variable(words)}"
                )
            continue
        section, key, from_file = known
        if from_file:
            try:
                text = read_secret(Path(text))
            except (OSError, ValueError) as error:
                problems.append(f"environment: {name}={text}: {error}")
                continue
        if key is None:
            try:
                values[section] = json.loads(text)
            except json.JSONDecodeError as error:
                problems.append(f"environment: {name}: is not JSON: {error}")
                continue
            sources[(section,)] = name
            continue
        table = values.setdefault(section, {})
        if isinstance(table, dict):
            switch = section_model(section).model_fields[key].annotation is bool
            table[key] = _SWITCHES.get(text.strip().lower(), text) if switch else text
            sources[section, key] = name
    return sources


def _setting_of(words: list[str]) -> tuple[str, str | None, bool] | None:
    """Return section, key and whether the variable names a file."""
    if len(words) == 1 and words[0] in NAMED:
        return words[0], None, False
    if len(words) != 2 or words[0] not in Config.model_fields or words[0] in NAMED:
        return None
    section, key = words
    fields = section_model(section).model_fields
    if key in fields:
        return section, key, False
    base = key.removesuffix(_FILE_SUFFIX.lower())
    return (section, base, True) if base != key and base in fields else None


def section_model(name: str) -> type[BaseModel]:
    """Return the model of a section (of one of its tables, for ``routes`` and ``streams``)."""
    if name in NAMED:
        return NAMED[name]
    model: Any = Config.model_fields[name].annotation
    assert isinstance(model, type)
    return model


def variable(section: str, key: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{section}__{key}".upper()


def place(path: Path, section: str, key: str, environ: Mapping[str, str] | None = None) -> str:
    """Return where a setting is set, as errors begin: file and key, or the environment variable."""
    environ = os.environ if environ is None else environ
    name = variable(section, key)
    for each in (name, name + _FILE_SUFFIX):
        if each in environ:
            return f"environment: {each}"
    return f"{path}: {section}.{key}"


def _near_variable(words: list[str]) -> str:
    """The section first, then the key in it: names as a whole resemble each other too much."""
    sections = [name for name in Config.model_fields if name not in NAMED]
    section = words[0]
    if section not in sections:
        near = difflib.get_close_matches(section, sections, n=1, cutoff=0.7)
        if not near:
            return f"; the sections are {', '.join(sections)}"
        section = near[0]
    key = "__".join(words[1:])
    keys = list(section_model(section).model_fields)
    chosen = [key] if key in keys else difflib.get_close_matches(key, keys, n=1, cutoff=0.6)
    if not chosen:
        return f"; [{section}] has {', '.join(keys)}"
    return f"; did you mean {variable(section, chosen[0])}?"


# Errors


def _describe(error: ErrorDetails, path: Path, sources: dict[tuple[str, ...], str]) -> str:
    location = tuple(str(part) for part in error["loc"])
    name = sources.get(location[:2]) or sources.get(location[:1])
    where = f"environment: {name}" if name else f"{path}: {_dotted(location)}".removesuffix(": ")
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"{where}: there is no such setting{_near_key(location)}"
    if kind == "missing":
        return f"{where}: must be set{_example(location)}"
    value = error["input"]
    shown = (
        "" if isinstance(value, dict | BaseModel) or _secret(location) else f" = {_short(value)}"
    )
    return f"{where}{shown}: {_mend(error)}"


def _mend(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "greater_than_equal":
            return f"is too small; the least is {context['ge']:g}"
        case "less_than_equal":
            return f"is too large; the most is {context['le']:g}"
        case "enum" | "literal_error":
            return f"is none of {context['expected']}"
        case "int_parsing" | "int_type" | "int_from_float":
            return "is not a whole number"
        case "float_parsing" | "float_type":
            return "is not a number of seconds"
        case "bool_parsing" | "bool_type":
            return "is neither true nor false"
        case "string_type":
            return "is not a text; put it in quotes"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "is not a table of settings"
    message = error["msg"]
    return message[0].lower() + message[1:]


def _near_key(location: tuple[str, ...]) -> str:
    if len(location) == 1:
        return _did_you_mean(location[0], list(Config.model_fields))
    if location[0] not in Config.model_fields:
        return ""
    known = list(section_model(location[0]).model_fields)
    near = _did_you_mean(location[-1], known)
    if near:
        return near
    elsewhere = [
        f"{section}.{location[-1]}"
        for section in Config.model_fields
        if location[-1] in section_model(section).model_fields
    ]
    return (
        f"; it belongs to another section: {', '.join(elsewhere)}"
        if elsewhere
        else (f"; [{location[0]}] has {', '.join(known)}")
    )


def _did_you_mean(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def _example(location: tuple[str, ...]) -> str:
    if location in {("server",), ("server", "hostname")}:
        return ', as in: [server] hostname = "mail.example.org"'
    if location[-1] == "via":
        return ', as in: via = "relay.example.org:587"'
    return ""


def _dotted(location: tuple[str, ...]) -> str:
    return ".".join(f'"{part}"' if "." in part or part == "*" else part for part in location)


def _secret(location: tuple[str, ...]) -> bool:
    return location[-1] in SECRETS


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
