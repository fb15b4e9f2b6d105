"""The life of a key: states of NIST SP 800-57 part 1 (revision 5, section 7) and the transitions that happen here.

Nothing changes a key's state but `kms.store`, which asks `check_transition` each time.
"""

from collections.abc import Mapping
from typing import Final

from sealwright.errors import ConflictError
from sealwright.wire.manifest import KeyState

TRANSITIONS: Final[Mapping[KeyState, frozenset[KeyState]]] = {
    "PRE_ACTIVATION": frozenset({"ACTIVE", "DESTROYED"}),
    "ACTIVE": frozenset({"SUSPENDED", "DEACTIVATED", "COMPROMISED"}),
    "SUSPENDED": frozenset({"ACTIVE", "DEACTIVATED", "COMPROMISED", "DESTROYED"}),
    "DEACTIVATED": frozenset({"COMPROMISED", "DESTROYED"}),
    "COMPROMISED": frozenset({"DESTROYED"}),
    "DESTROYED": frozenset(),
}
"""From -> to. PRE_ACTIVATION is the pool. An ACTIVE key is not destroyed: mail to it may be on its way, so it is replaced or
suspended first. A key that was COMPROMISED never protects anything again."""


def check_transition(old: KeyState, new: KeyState) -> None:
    """Check that a key may go from one state to another.

    Raises:
        ConflictError: If not.
    """
    if new not in TRANSITIONS[old]:
        raise ConflictError(f"a key that is {old} cannot become {new}")
