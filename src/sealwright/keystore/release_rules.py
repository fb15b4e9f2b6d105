"""What a release policy says: the level, how keys are delivered, and where and when nothing is released; pure.

An organization has rules, a group of mailboxes may have more. Both hold: a group adds to what the organization asks and
takes nothing away, so a mailbox that leaves a group, or a group that is unknown, never opens more than the organization's own.
"""

import ipaddress
import re
import zoneinfo
from dataclasses import dataclass
from datetime import datetime

from sealwright.errors import ApprovalsMissingError, DecodingError, InputError, PermissionDeniedError
from sealwright.wire.encoding import decode_fields, encode_fields

LEVELS = (1, 2, 3, 4)
DELIVERIES = ("sealed", "remote")
NEEDED = {
    1: "the mailbox proof",
    2: "the protection password",
    3: "an approval by another device of the mailbox or by an administrator",
    4: "the organization's sign-on",
}
MAX_NETWORKS = 64
MAX_HOURS = 16
"""More lines than anybody can still read are a mistake."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? ([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d) ([A-Za-z0-9_+/-]{1,40})")
_PURPOSE = "sealwright release rules"
_MAILBOX_PURPOSE = "sealwright mailbox release"


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """Rules of an organization or of a group.

    Attributes:
        level: 1 to 4: what a device has to have proved (docs/architecture.md, rule 2).
        export_key: Whether owners may export keys to other programs.
        delivery: "sealed": keys go to the device; "remote": they stay, and content keys are asked for.
        networks: Where releases are asked from, as "192.0.2.0/24"; empty for anywhere.
        max_devices: Active devices of one mailbox; 0 for no limit of its own.
        hours: When, as "mon-fri 07:00-19:00 Europe/Berlin"; empty for always. The end may be 24:00.
    """

    level: int = 1
    export_key: bool = False
    delivery: str = "sealed"
    networks: tuple[str, ...] = ()
    max_devices: int = 0
    hours: tuple[str, ...] = ()

    def check(self) -> None:
        """Check that the rules are some.

        Raises:
            InputError: If a value is not one of those described.
        """
        if self.level not in LEVELS or self.delivery not in DELIVERIES:
            raise InputError("a release level is 1 to 4, and keys are delivered sealed or used remotely")
        if not 0 <= self.max_devices <= 100:
            raise InputError("a mailbox may be limited to 1 to 100 devices; 0 is no limit of its own")
        if len(self.networks) > MAX_NETWORKS or len(self.hours) > MAX_HOURS:
            raise InputError(f"at most {MAX_NETWORKS} networks and {MAX_HOURS} lines of hours")
        for network in self.networks:
            _network(network)
        for window in self.hours:
            _Window.parse(window)

    def encode(self) -> bytes:
        """Return the canonical encoding (`wire.encoding`)."""
        return encode_fields(
            _PURPOSE,
            1,
            str(self.level).encode("ascii"),
            b"\x01" if self.export_key else b"\x00",
            self.delivery.encode("ascii"),
            encode_fields("networks", 1, *(text.encode("ascii") for text in self.networks)),
            str(self.max_devices).encode("ascii"),
            encode_fields("hours", 1, *(text.encode("ascii") for text in self.hours)),
        )

    @classmethod
    def decode(cls, encoded: bytes) -> "ReleaseRules":
        """Decode what `encode` made.

        Raises:
            DecodingError: If it is something else.
        """
        try:
            level, export_key, delivery, networks, max_devices, hours = decode_fields(_PURPOSE, 1, encoded)
            decoded = cls(
                level=int(level),
                export_key=export_key == b"\x01",
                delivery=delivery.decode("ascii"),
                networks=tuple(text.decode("ascii") for text in decode_fields("networks", 1, networks)),
                max_devices=int(max_devices),
                hours=tuple(text.decode("ascii") for text in decode_fields("hours", 1, hours)),
            )
        except ValueError as error:
            raise DecodingError("not a release policy") from error
        if decoded.encode() != encoded:
            raise DecodingError("not a release policy in its one encoding")
        return decoded

    def is_weaker_than(self, old: "ReleaseRules") -> bool:
        """Return whether these rules let anything through that `old` did not; if in doubt, they do.

        The permission to export is none of the levels and has a switch of its own.
        """
        return (
            self.level < old.level
            or (old.delivery == "remote" and self.delivery != "remote")
            or bool(old.networks and (not self.networks or not set(self.networks) <= set(old.networks)))
            or bool(old.hours and (not self.hours or not set(self.hours) <= set(old.hours)))
            or bool(old.max_devices and (not self.max_devices or self.max_devices > old.max_devices))
        )


@dataclass(frozen=True, slots=True)
class MailboxRelease:
    """What holds for one mailbox.

    Attributes:
        group_id: 32 hex digits of its group, or empty.
        frozen: Whether nothing is released any more, such as for somebody who is leaving.
    """

    group_id: str = ""
    frozen: bool = False

    def encode(self) -> bytes:
        """Return the canonical encoding (`wire.encoding`)."""
        return encode_fields(_MAILBOX_PURPOSE, 1, self.group_id.encode("ascii"), b"\x01" if self.frozen else b"\x00")

    @classmethod
    def decode(cls, encoded: bytes) -> "MailboxRelease":
        """Decode what `encode` made.

        Raises:
            DecodingError: If it is something else.
        """
        try:
            group_id, frozen = decode_fields(_MAILBOX_PURPOSE, 1, encoded)
            decoded = cls(group_id.decode("ascii"), frozen == b"\x01")
        except ValueError as error:
            raise DecodingError("not what holds for a mailbox") from error
        if decoded.encode() != encoded:
            raise DecodingError("not what holds for a mailbox in its one encoding")
        return decoded

    def is_weaker_than(self, old: "MailboxRelease") -> bool:
        """Return whether a mailbox that was in a group leaves it, or is not frozen any more."""
        return (old.frozen and not self.frozen) or (bool(old.group_id) and self.group_id != old.group_id)


@dataclass(frozen=True, slots=True)
class MailboxRules:
    """All rules that hold for one mailbox together.

    Attributes:
        rules: The organization's, then the group's.
        frozen: Whether nothing is released.
    """

    rules: tuple[ReleaseRules, ...]
    frozen: bool = False

    @property
    def level(self) -> int:
        """The highest level."""
        return max(rules.level for rules in self.rules)

    @property
    def export_key(self) -> bool:
        """Whether all permit the export: the organization alone does, a group has no say in it."""
        return self.rules[0].export_key

    @property
    def delivery(self) -> str:
        """Remote if any says so."""
        return "remote" if any(rules.delivery == "remote" for rules in self.rules) else "sealed"

    @property
    def max_devices(self) -> int:
        """The lowest limit; 0 for none."""
        return min((rules.max_devices for rules in self.rules if rules.max_devices), default=0)

    def check(self, level: int, now: datetime, source: str) -> None:
        """Check that a device of a level may have the keys now, from there.

        Args:
            level: The device's, 1 to 4.
            now: Aware.
            source: IP address that asks, or empty where none is known.

        Raises:
            ApprovalsMissingError: If the level is not enough; says what is missing.
            PermissionDeniedError: If the mailbox is frozen, or place or time are not permitted.
        """
        if self.frozen:
            raise PermissionDeniedError("the keys of this mailbox are frozen")
        if level < self.level:
            raise ApprovalsMissingError(f"this device needs {NEEDED[self.level]} before it gets the keys")
        for rules in self.rules:
            if rules.networks and not any(_is_in(source, network) for network in rules.networks):
                raise PermissionDeniedError("keys are released only within the organization's networks")
            if rules.hours and not any(_Window.parse(window).holds(now) for window in rules.hours):
                raise PermissionDeniedError("keys are not released at this time; the organization's hours are over")


@dataclass(frozen=True, slots=True)
class _Window:
    first_day: int
    last_day: int
    start: int
    end: int
    zone: zoneinfo.ZoneInfo

    @classmethod
    def parse(cls, text: str) -> "_Window":
        found = _WINDOW.fullmatch(text)
        if found is None or found[1] not in _DAYS or (found[2] or found[1]) not in _DAYS:
            raise InputError(f"{text!r}: hours are written as mon-fri 07:00-19:00 Europe/Berlin")
        start, end = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
        if not start < end <= 24 * 60:
            raise InputError(f"{text!r}: the hours end after they begin, on the same day")
        try:
            zone = zoneinfo.ZoneInfo(found[7])
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise InputError(f"{text!r}: this system knows no such time zone") from error
        return cls(_DAYS.index(found[1]), _DAYS.index(found[2] or found[1]), start, end, zone)

    def holds(self, now: datetime) -> bool:
        there = now.astimezone(self.zone)
        days = (self.last_day - self.first_day) % 7
        return (
            there.weekday() - self.first_day
        ) % 7 <= days and self.start <= there.hour * 60 + there.minute < self.end


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no network such as 192.0.2.0/24") from error


def _is_in(source: str, network: str) -> bool:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address) in _network(network)
