"""What key management speaks about."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sealwright.keystore.model import SealedRecord, VouchedRow
from sealwright.wire.api import KeyCertificate
from sealwright.wire.encoding import sha256
from sealwright.wire.manifest import KeyState, ManifestKey

CLASSICAL: Final = "classical"
KEM: Final = "kem"
MADE: Final = "kms"
"""Origin of a key that this key management made; imported ones have "owner" or "administrator"."""
CLASSICAL_ALGORITHMS: Final = ("rsa-2048", "rsa-3072", "rsa-4096", "p256", "p384")
KEM_ALGORITHMS: Final = ("ml-kem-768", "ml-kem-1024")


@dataclass(frozen=True, slots=True)
class KmsSettings:
    """How keys are made.

    Attributes:
        algorithm: Of new keys of slot classical: "rsa-2048", "rsa-3072", "rsa-4096", "p256" or "p384".
        kem: Of new keys of slot kem, which make a pair with the classical ones: "ml-kem-768", "ml-kem-1024", or "" for none.
        pool_size: Ready keys kept per organization and algorithm.
        active_for: How long a generation protects new mail before the next takes its place.
        drill_every: Within this time every archived key is opened and matched to its certificate once.
    """

    algorithm: str = "rsa-3072"
    kem: str = ""
    pool_size: int = 20
    active_for: timedelta = timedelta(days=1096)
    drill_every: timedelta = timedelta(days=30)

    @property
    def algorithms(self) -> dict[str, str]:
        """Return the algorithm of each slot in which keys are made; in others they are only imported."""
        return {CLASSICAL: self.algorithm} | ({KEM: self.kem} if self.kem else {})


@dataclass(frozen=True, slots=True)
class MailboxKey:
    """One generation.

    Attributes:
        record: Sealed; names organization, key, mailbox and generation.
        slot: "classical" or "kem".
        state: Key state.
        frozen: Never released again, because the tenure has ended.
        created: When it became ACTIVE, or was imported; aware UTC.
        origin: `MADE`, or who imported it: "owner" or "administrator"; an imported key has no generation.
        state_row: The keystore's word for the state, if people ever decided on it.
        exported: Whether a device was permitted to write it to a file, so that programs of others may have it.
    """

    record: SealedRecord = field(repr=False)
    slot: str
    state: KeyState
    frozen: bool
    created: datetime
    origin: str = MADE
    exported: bool = False
    state_row: VouchedRow | None = None

    @property
    def key_id(self) -> str:
        """Return its identifier, 32 hex digits."""
        return self.record.identity.record_id

    @property
    def mailbox_id(self) -> str:
        """Return whose it is, 32 hex digits."""
        return self.record.identity.owner

    @property
    def generation(self) -> int:
        """Return its generation, from 1; 0 if it was imported."""
        return self.record.identity.generation

    @property
    def spki_sha256(self) -> bytes:
        """Return SHA-256 of its public key, 32 octets."""
        return sha256(self.record.spki)

    def manifest_key(self) -> ManifestKey:
        """Return its line in a release manifest."""
        return ManifestKey(self.key_id, self.slot, self.generation, self.state, self.record.algorithm, self.spki_sha256)


def state_rows(keys: Iterable[MailboxKey]) -> tuple[VouchedRow, ...]:
    """Return what the keystore vouched for of the states of keys."""
    return tuple(key.state_row for key in keys if key.state_row is not None)


@dataclass(frozen=True, slots=True)
class KeyCertificateRow:
    """A certificate of a key.

    Attributes:
        key_id: 32 hex digits.
        certificate: DER.
        chain: DER of the intermediates, without the root.
        not_after: Aware UTC.
        created: Aware UTC.
    """

    key_id: str
    certificate: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)
    not_after: datetime
    created: datetime

    def as_answer(self) -> KeyCertificate:
        """Return it as it travels."""
        return KeyCertificate(key_id=self.key_id, certificate=self.certificate, chain=self.chain)


@dataclass(frozen=True, slots=True)
class KeyRelease:
    """A release or an export permission in the books; a retry finds it and answers from the same leaf.

    Attributes:
        organization_id: 32 hex digits.
        device_id: 32 hex digits.
        idempotency_key: As the device signed it.
        kind: "release", "export", "use" or "exit".
        request_sha256: Hex, of the request's body.
        key_ids: In the manifest's order.
        leaf_id: To find the leaf.
        created: Aware UTC.
        salt: Of the leaf, from the try that wrote it; empty for a retry, for which the keystore opens it.
    """

    organization_id: str
    device_id: str
    idempotency_key: str
    kind: str
    request_sha256: str
    key_ids: tuple[str, ...]
    leaf_id: str
    created: datetime
    salt: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Destruction:
    """A destroyed key in the books.

    Attributes:
        key_id: 32 hex digits.
        reason: As it was given.
        destroyed: Aware UTC.
        leaf_id: To find the leaf.
    """

    key_id: str
    reason: str
    destroyed: datetime
    leaf_id: str


@dataclass(frozen=True, slots=True)
class LegalHold:
    """A hold on a mailbox's keys.

    Attributes:
        hold_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        reason: As it was given.
        set_by: Who set it.
        created: Aware UTC.
        lifted: Aware UTC, or None while it is in force.
    """

    hold_id: str
    mailbox_id: str
    reason: str
    set_by: str
    created: datetime
    lifted: datetime | None
