"""The life of a key: its states and transitions, and the states to which the keystore itself holds a key.

The states are those of NIST SP 800-57 part 1 (revision 5, section 7). Whether a key is ACTIVE or DEACTIVATED is the caller's
word: it is released in both. What people decide - suspended, compromised, destroyed, and everything after it - is a row that the
keystore vouches for, and whose newest version it remembers next to the seal. So neither an old row that is put back into the
database nor a changed one gets a suspended key released again.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, cast

from sealwright.errors import ConflictError, PermissionDeniedError
from sealwright.keystore.approvals import Approvers, read_approved
from sealwright.keystore.destroyed import DestroyedKeys
from sealwright.keystore.model import ApprovalEvidence, SealedRecord, VouchedRow
from sealwright.keystore.versions import RowName, Versions
from sealwright.keystore.vouching import Vouching
from sealwright.wire.destruction import DESTRUCTION, KeyDestruction
from sealwright.wire.manifest import RELEASED_STATES, KeyState, ManifestKey

KEY_STATE: Final = "key-state"
DECIDED_STATES: Final[frozenset[KeyState]] = frozenset({"SUSPENDED", "COMPROMISED", "DESTROYED"})
"""A key that was ever in one of these has a row, and each later change is vouched for, too."""
UNDECIDED_STATES: Final[frozenset[KeyState]] = frozenset({"ACTIVE", "DEACTIVATED"})
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


class KeyStates:
    """Vouches for states that people decided on, and checks them before a key is opened.

    Args:
        vouching: MACs of this keystore.
        versions: The newest row of each key that has one.
        destroyed: Keys that are gone for good.
        approvers: Checks approvals.
    """

    def __init__(self, vouching: Vouching, versions: Versions, destroyed: DestroyedKeys, approvers: Approvers) -> None:
        self._vouching, self._versions, self._destroyed, self._approvers = vouching, versions, destroyed, approvers

    def vouch(
        self,
        organization_id: str,
        key_id: str,
        change: tuple[KeyState, KeyState],
        from_version: int,
        evidence: ApprovalEvidence | None,
        now: datetime,
    ) -> VouchedRow | None:
        """Vouch for a key's next state, unless nobody ever decided on the key.

        From two security officers on, two of them approve a destruction.

        Args:
            organization_id: 32 hex digits.
            key_id: 32 hex digits.
            change: The state that the key is in, and the next one.
            from_version: Of the key's row; 0 where it has none.
            evidence: Approvals of exactly this destruction.
            now: By the keystore's own clock.

        Returns:
            The key's row; None where it needs none.

        Raises:
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else, or the proposal was vetoed.
            ConflictError: If there is no such transition, or a newer row.
        """
        old, new = change
        name = RowName(KEY_STATE, organization_id, key_id)
        newest = self._versions.newest(name)
        is_repeated = newest.version > from_version and newest.content == new.encode("ascii")
        if not is_repeated:
            # 1 From the state that the keystore knows, along the table.
            if not newest.version and old not in UNDECIDED_STATES:
                raise ConflictError("the key was never in the state that it should leave")
            if newest.version and newest.content != old.encode("ascii"):
                raise ConflictError("the key is in another state")
            check_transition(old, new)
            if not newest.version and new in UNDECIDED_STATES:
                return None
            # 2 A destruction is approved by two.
            if new == "DESTROYED":
                self._check_approved(organization_id, key_id, evidence, now)
        # 3 Written down before it is handed out.
        content = new.encode("ascii")
        version = self._versions.advance(name, from_version, content)
        return self._vouching.vouch_row(VouchedRow(KEY_STATE, organization_id, key_id, version, content, b""))

    def check(
        self,
        records: Iterable[SealedRecord],
        rows: Iterable[VouchedRow] = (),
        listed: Iterable[ManifestKey] = (),
    ) -> None:
        """Check that keys may be opened, and that a manifest lists keys with the states that they have.

        Args:
            records: Of one organization; each is about to be opened.
            rows: Of those keys of the mailbox that have one.
            listed: Lines of the manifest.

        Raises:
            PermissionDeniedError: If a key was destroyed or is suspended, a row is not the newest, or a line says otherwise.
        """
        opened, vouched = tuple(records), {row.row_id: row for row in rows}
        for record in opened:
            identity = record.identity
            self._destroyed.check(identity)
            state = self._state(identity.organization_id, identity.record_id, vouched)
            if state is not None and state not in RELEASED_STATES:
                raise PermissionDeniedError(f"a key is {state.lower()}: it is not opened")
        organization_id = opened[0].identity.organization_id if opened else ""
        for key in listed:
            state = self._state(organization_id, key.key_id, vouched)
            if key.state != state and (state is not None or key.state not in UNDECIDED_STATES):
                raise PermissionDeniedError("a key is listed with another state than it has")

    def destroy(self, organization_id: str, key_id: str) -> None:
        """Remember that a key is gone, whose state says so.

        Raises:
            PermissionDeniedError: If its state is another.
            UnavailableError: If it cannot be written down.
        """
        if self._versions.newest(RowName(KEY_STATE, organization_id, key_id)).content != b"DESTROYED":
            raise PermissionDeniedError("nobody vouched for the destruction of this key")
        self._destroyed.add(organization_id, key_id)

    def _state(self, organization_id: str, key_id: str, vouched: Mapping[str, VouchedRow]) -> KeyState | None:
        """Return the state of the newest row; None for a key that needs none."""
        row, name = vouched.get(key_id), RowName(KEY_STATE, organization_id, key_id)
        self._versions.check(name, 0 if row is None else row.version)
        if row is None:
            return None
        self._vouching.check_row(row)
        if (row.kind, row.organization_id) != (KEY_STATE, organization_id):
            raise PermissionDeniedError("a row is no key's state")
        return cast(KeyState, row.content.decode("ascii"))  # nobody but this keystore made the MAC

    def _check_approved(
        self, organization_id: str, key_id: str, evidence: ApprovalEvidence | None, now: datetime
    ) -> None:
        if not self._approvers.needs_officers(organization_id):
            return
        approved = self._approvers.check_officers(evidence, kind=DESTRUCTION, what="the destruction of a key", now=now)
        wanted = read_approved(approved.proposal, KeyDestruction)
        if (approved.proposal.organization_id, wanted.key_id) != (organization_id, key_id):
            raise PermissionDeniedError("the approvals are for the destruction of another key")
