"""The roles of an organization's people; a person holds any number of them, through the devices of the own mailbox."""

from typing import Final

from sealwright.errors import DecodingError, InputError
from sealwright.wire.encoding import decode_fields, encode_fields

ADMINISTRATOR: Final = "administrator"
SECURITY_OFFICER: Final = "security-officer"
RECOVERY_OFFICER: Final = "recovery-officer"
AUDITOR: Final = "auditor"
OPERATOR: Final = "operator"
HELP_DESK: Final = "help-desk"
ROLES: Final = (ADMINISTRATOR, AUDITOR, HELP_DESK, OPERATOR, RECOVERY_OFFICER, SECURITY_OFFICER)
"""Sorted. Everybody with a mailbox is a person; that is no role of this list."""
_PURPOSE = "sealwright roles"


def encode_roles(roles: tuple[str, ...]) -> bytes:
    """Encode a set of roles, whatever the order.

    Raises:
        InputError: If one is not known.
    """
    if not set(roles) <= set(ROLES):
        raise InputError(f"the roles are {', '.join(ROLES)}")
    return encode_fields(_PURPOSE, 1, *(role.encode("ascii") for role in sorted(set(roles))))


def decode_roles(encoded: bytes) -> tuple[str, ...]:
    """Decode what `encode_roles` made; sorted.

    Raises:
        DecodingError: If it is not that.
    """
    roles = tuple(field.decode("ascii", "replace") for field in decode_fields(_PURPOSE, 1, encoded))
    if not set(roles) <= set(ROLES) or encode_roles(roles) != encoded:
        raise DecodingError("not a set of roles")
    return roles
