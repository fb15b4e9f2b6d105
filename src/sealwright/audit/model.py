"""Values of the log."""

from dataclasses import dataclass, field

from sealwright.keystore.model import LogEvidence, SealedRecord
from sealwright.tlog.map import MapProof
from sealwright.wire.api import LeafOpening


@dataclass(frozen=True, slots=True)
class Act:
    """Something that must be in the log.

    Attributes:
        organization_id: Whose log.
        chain_id: A mailbox's id, or `tlog.leaf.ORGANIZATION_CHAIN`.
        kind: `subject.action`.
        fields: ASCII keys and values; never a secret.
    """

    organization_id: str
    chain_id: str
    kind: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class LeafSalt:
    """A fresh salt and its sealed form, made before the act's transaction opens.

    Attributes:
        leaf_id: The leaf that it is for; a salt is used once.
        salt: 32 octets.
        sealed: What the database keeps.
    """

    leaf_id: str
    salt: bytes = field(repr=False)
    sealed: SealedRecord


@dataclass(frozen=True, slots=True)
class PendingLeaf:
    """A leaf that has no index yet.

    Attributes:
        leaf_id: To wait for it.
        commitment: 32 octets.
        record: Canonical record.
        salt: 32 octets.
        chain_number: In its chain.
    """

    leaf_id: str
    commitment: bytes
    record: bytes
    salt: bytes = field(repr=False)
    chain_number: int


@dataclass(frozen=True, slots=True)
class IncludedLeaf:
    """A leaf with its proof.

    Attributes:
        index: Position in the log.
        tree_size: Of the checkpoint.
        inclusion_proof: Audit path.
        checkpoint: Signed note.
        leaf_hash: RFC 6962 leaf hash of the commitment.
        salt: 32 octets.
        record: Canonical record.
    """

    index: int
    tree_size: int
    inclusion_proof: tuple[bytes, ...]
    checkpoint: str
    leaf_hash: bytes
    salt: bytes = field(repr=False)
    record: bytes

    def opening(self) -> LeafOpening:
        """Return the leaf as it travels; the checkpoint goes beside it."""
        return LeafOpening(
            index=self.index,
            salt=self.salt,
            record=self.record,
            leaf_hash=self.leaf_hash,
            tree_size=self.tree_size,
            inclusion_proof=self.inclusion_proof,
        )

    def evidence(self) -> LogEvidence:
        """Return the leaf as what the keystore is shown."""
        return LogEvidence(
            record=self.record,
            salt=self.salt,
            index=self.index,
            tree_size=self.tree_size,
            inclusion_proof=self.inclusion_proof,
            checkpoint=self.checkpoint,
        )


@dataclass(frozen=True, slots=True)
class ChainView:
    """Part of a chain, all proofs to one checkpoint.

    Attributes:
        leaves: In the order of the chain.
        head_number: Number of the newest record of the chain under that checkpoint; 0 if none is.
        head_hash: Its commitment; 32 zero octets if there is none.
        map_proof: That the checkpoint's map says so.
        checkpoint: The signed note.
    """

    leaves: list[IncludedLeaf]
    head_number: int
    head_hash: bytes
    map_proof: MapProof
    checkpoint: str


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """A numbered leaf's record, without its proof.

    Attributes:
        index: Position in the log.
        record: Canonical record.
    """

    index: int
    record: bytes


@dataclass(frozen=True, slots=True)
class OpenedLeaf:
    """A numbered leaf with what opens its commitment.

    Attributes:
        index: Position in the log.
        salt: 32 octets.
        record: Canonical record.
    """

    index: int
    salt: bytes = field(repr=False)
    record: bytes
