"""What a device checks before it believes that an act is in the log."""

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog.checkpoint import Checkpoint, open_note
from sealwright.tlog.leaf import SALT_BYTES, LeafRecord, commit, decode_leaf_record
from sealwright.tlog.map import MapProof, map_key, map_value, verify_absence, verify_presence
from sealwright.tlog.tree import leaf_hash, verify_inclusion
from sealwright.wire.api import ChainAnswer, LeafOpening


def check_leaf(opening: LeafOpening, checkpoint: str, log_origin: str, log_key: bytes) -> LeafRecord:
    """Check that a leaf is in the log that a signed checkpoint speaks of, and return what it says.

    Args:
        opening: The leaf as the server opened it.
        checkpoint: Signed note.
        log_origin: The pinned origin.
        log_key: The pinned Ed25519 key, raw, 32 octets.

    Raises:
        LogVerificationError: If the note is not signed by the pinned key, speaks of another tree, the leaf is not in it,
            or salt and record are not what the leaf commits to.
    """
    try:
        point = open_note(checkpoint, log_origin, log_key)
        record = decode_leaf_record(opening.record)
    except DecodingError as error:
        raise LogVerificationError("the log's answer cannot be read") from error
    if point.size != opening.tree_size:
        raise LogVerificationError("the inclusion proof is for another tree than the checkpoint")
    if len(opening.salt) != SALT_BYTES or leaf_hash(commit(opening.salt, opening.record)) != opening.leaf_hash:
        raise LogVerificationError("the leaf does not commit to this record")
    verify_inclusion(opening.leaf_hash, opening.index, opening.tree_size, opening.inclusion_proof, point.root)
    return record


def check_head(answer: ChainAnswer, point: Checkpoint) -> None:
    """Check that a chain ends where the map of a verified checkpoint says: nothing newer is kept back.

    Raises:
        LogVerificationError: If the map says another head, or that there is none.
    """
    key, proof = map_key(answer.chain_id), MapProof(answer.map_siblings, answer.map_other)
    if answer.head_number:
        verify_presence(key, map_value(answer.head_number, answer.head_hash), proof, point.map_root)
    else:
        verify_absence(key, proof, point.map_root)
