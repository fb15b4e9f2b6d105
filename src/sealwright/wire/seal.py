"""Types of the seal on the operator's interface (`/local/seal`), on that for devices (`/v1/seal`), and to the seal process.

What people enter - shares and PINs - is sealed to a key that the seal process made when it started, so that the web process
passes on what it cannot read.
"""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from sealwright.errors import DecodingError
from sealwright.wire.api import Answer, Request
from sealwright.wire.encoding import AwareDatetime, encode_fields
from sealwright.wire.hpke import hpke_open, hpke_seal

SealKind = Literal["key-file", "shamir", "pkcs11"]
SEAL_KINDS: Final[tuple[SealKind, ...]] = ("key-file", "shamir", "pkcs11")
SEAL_CHANGE: Final = "seal.change"
"""Kind of the proposal by which two security officers agree to a change of the seal."""
ENTRY_INFO: Final = encode_fields("sealwright seal entry", 1)
NEW_SHARES_INFO: Final = encode_fields("sealwright new seal shares", 1)
MAX_ENTRY_BYTES: Final = 8192


class SealEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """What one person enters: a share, or the PIN of the HSM."""

    share: str = ""
    pin: str = ""

    def __repr__(self) -> str:
        """Say nothing of what was entered."""
        return "SealEntry()"


class EntryRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/seal/entries and /local/seal/entries: a `SealEntry` as JSON, HPKE-sealed to `SealStatus.entry_key`."""

    sealed_entry: bytes


class SealTarget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change of the seal leads to; security officers sign it.

    Attributes:
        part: "root": a new root wrapping key, of `kind`; "emergency": a new emergency key.
        kind: Of the seal afterwards.
        shares: New shares, for "emergency" and "shamir"; else 0.
        threshold: How many of them open.
    """

    part: Literal["root", "emergency"]
    kind: SealKind
    shares: int = 0
    threshold: int = 0


class ChangeRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/seal/changes: begin a change of the seal.

    Attributes:
        target: What it leads to.
        reply_key: HPKE public key that new shares are sealed to.
        certificates: DER; one for each new share, which is then encrypted to it. None: shares are shown as they are.
        proposal_id: That two security officers approved; empty where it is not needed.
        reason: For the officers, where it is.
    """

    target: SealTarget
    reply_key: bytes
    certificates: tuple[bytes, ...] = ()
    proposal_id: str = ""
    reason: str = ""


class NewShares(Answer, frozen=True, kw_only=True):
    """POST /local/seal/changes/shares: new shares, once, HPKE-sealed to the reply key: a JSON list of `NewShare`."""

    sealed_shares: bytes


class NewShare(Struct, frozen=True, kw_only=True):
    """One new share: as text, or as DER of an encrypted CMS message to an officer's certificate."""

    number: int
    text: str = ""
    message: bytes = b""

    def __repr__(self) -> str:
        """Say nothing of the share."""
        return f"NewShare(number={self.number})"


class SealChange(Answer, frozen=True, kw_only=True):
    """A change of the seal that is under way.

    Attributes:
        target: What it leads to.
        state: "permitting": waits for shares of the seal as it is; "confirming": waits for all new shares; "ready".
        permitted: Numbers of the present shares that were entered for it.
        needed: How many of them it takes.
        confirmed: Numbers of the new shares that were entered.
    """

    target: SealTarget
    state: Literal["permitting", "confirming", "ready"]
    permitted: tuple[int, ...]
    needed: int
    confirmed: tuple[int, ...]


class RotationStatus(Answer, frozen=True, kw_only=True):
    """How far the re-sealing under the newest storage key is.

    Attributes:
        storage_key_version: What new records are sealed with.
        introduced: When this server first saw that version; None shortly after it was made.
        rewrapped_records: Re-sealed under it so far.
        remaining_records: Sealed under an older version still.
        rewrapped: When nothing was left; None while it goes on.
    """

    storage_key_version: int
    introduced: AwareDatetime | None
    rewrapped_records: int
    remaining_records: int
    rewrapped: AwareDatetime | None


class SealStatus(Answer, frozen=True, kw_only=True):
    """GET /local/seal and GET /v1/seal.

    Attributes:
        kind: How the root wrapping key is kept.
        state: "open" or "sealed".
        entry_key: HPKE public key that entries are sealed to.
        threshold: Operator shares that open it; 0 where it takes none.
        entered: Numbers of the shares that were entered since it was sealed; those that opened it once it is open.
        number: Changes of this seal so far.
        proposal_id: That approved the last of them, or empty.
        asks_pin: Whether the HSM's PIN is entered by people.
        problem: Why it did not open by itself, or what a change could not destroy; or empty.
        emergency_shares: N of the emergency key.
        emergency_threshold: M of it.
        change: Under way, or None.
        rotation: Of the storage key; None while it is sealed, and for strangers.
    """

    kind: SealKind
    state: Literal["open", "sealed"]
    entry_key: bytes
    threshold: int
    entered: tuple[int, ...]
    number: int
    proposal_id: str
    asks_pin: bool
    problem: str
    emergency_shares: int
    emergency_threshold: int
    change: SealChange | None = None
    rotation: RotationStatus | None = None


class ChangeBegun(Answer, frozen=True, kw_only=True):
    """POST /local/seal/changes.

    Attributes:
        status: Of the seal, if the change was begun or done.
        proposal_id: That two security officers have to approve first; empty if it was begun.
    """

    status: SealStatus | None = None
    proposal_id: str = ""


def seal_entry(entry_key: bytes, entry: SealEntry) -> bytes:
    """Seal what somebody enters to the seal process.

    Raises:
        DecodingError: If it is no key.
    """
    return hpke_seal(entry_key, ENTRY_INFO, msgspec.json.encode(entry))


def open_new_shares(private_key: bytes, sealed: bytes) -> tuple[NewShare, ...]:
    """Open new shares with the private part of the reply key.

    Raises:
        DecodingError: If they are of another form.
        DecryptionError: If they were sealed to another key.
    """
    try:
        return msgspec.json.decode(hpke_open(private_key, NEW_SHARES_INFO, sealed), type=tuple[NewShare, ...])
    except msgspec.MsgspecError as error:
        raise DecodingError("the new shares cannot be read") from error
