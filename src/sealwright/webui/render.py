"""Pages out of templates, and the few files that they need; everything is loaded once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sealwright.errors import NotFoundError

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that pages load.

    Attributes:
        content: Its bytes.
        media_type: With charset.
        version: Changes with the content; part of its address, so that browsers may keep it for ever.
    """

    content: bytes
    media_type: str
    version: str


class Pages:
    """Renders templates with autoescape; an undefined name is an error.

    Args:
        static_path: Where the static files are served, without a slash at the end.
    """

    def __init__(self, static_path: str) -> None:
        self._static = _load_static()
        self._static_path = static_path
        self._environment = Environment(
            loader=PackageLoader("sealwright.webui"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "moment": moment,
            "day": day,
            "until": until,
            "duration": duration,
            "fingerprint": fingerprint,
        }
        self._environment.globals["asset"] = self.asset

    def render(self, template: str, context: Mapping[str, Any]) -> bytes:
        """Return a page, UTF-8."""
        return self._environment.get_template(template).render(**context).encode("utf-8")

    def asset(self, name: str) -> str:
        """Return the address of a static file."""
        return f"{self._static_path}/{name}?v={self.static(name).version}"

    def static(self, name: str) -> StaticFile:
        """Return a static file.

        Raises:
            NotFoundError: If there is none of this name.
        """
        found = self._static.get(name)
        if found is None:
            raise NotFoundError("There is no such file.")
        return found


def moment(value: datetime) -> Markup:
    """Return a point in time, to the minute, UTC."""
    return _time(value, f"{value.day} {value:%b %Y, %H:%M} UTC")


def day(value: datetime) -> Markup:
    """Return the day of a point in time, UTC."""
    return _time(value, f"{value.day} {value:%b %Y}")


def until(value: datetime, now: datetime) -> str:
    """Return how long it is until a point in time, in the largest fitting unit."""
    left = value - now
    if left <= timedelta(0):
        return "expired"
    if left < timedelta(hours=48):
        return f"in {max(1, int(left.total_seconds() // 3600))} h"
    if left < timedelta(days=730):
        return f"in {left.days} days"
    return f"in {round(left.days / 365.25)} years"


def duration(value: timedelta | int) -> str:
    """Return how long something lasts, in days or else in hours; a number is of seconds."""
    hours = (value if isinstance(value, int) else int(value.total_seconds())) / 3600
    return f"{hours / 24:g} days" if hours >= 48 and hours % 24 == 0 else f"{hours:.3g} h"


def fingerprint(value: bytes | str) -> str:
    """Return octets, or hex digits, in groups of four digits that people can compare."""
    text = value if isinstance(value, str) else value.hex()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def _time(value: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(value.strftime("%Y-%m-%dT%H:%M:%SZ"), text)


def _load_static() -> dict[str, StaticFile]:
    loaded = {}
    for path in files("sealwright.webui").joinpath("static").iterdir():
        media_type = MEDIA_TYPES.get(f".{path.name.rpartition('.')[2]}")
        if media_type is not None:
            content = path.read_bytes()
            loaded[path.name] = StaticFile(content, media_type, hashlib.sha256(content).hexdigest()[:16])
    return loaded
