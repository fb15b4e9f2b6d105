"""The log's checkpoints as this device saw them: each must be a continuation of the one before."""

from sealwright.client.session import ServerSession
from sealwright.client.store import ClientStore
from sealwright.errors import LogVerificationError, NotFoundError
from sealwright.tlog.checkpoint import Checkpoint, open_note
from sealwright.tlog.tree import verify_consistency
from sealwright.wire.api import BreaksAnswer, ConsistencyAnswer
from sealwright.wire.log_break import LogBreak, open_log_break
from sealwright.wire.statement import DomainStatement


def remember_checkpoint(
    note: str, store: ClientStore, session: ServerSession, statement: DomainStatement
) -> Checkpoint:
    """Verify that a checkpoint continues the log this device knows, and remember it if it is newer.

    A log that does not continue it is taken once for each log break that names it the true one: then every chain is checked anew.

    Raises:
        LogVerificationError: If the log was rewritten or forked.
        InvalidSignatureError: If the log did not sign it.
    """
    newer = open_note(note, statement.log_origin, statement.log_key)
    if not store.state.checkpoint:
        store.update({"checkpoint": note})
        return newer
    known = open_note(store.state.checkpoint, statement.log_origin, statement.log_key)
    try:
        _check_continues(known, newer, session)
    except LogVerificationError:
        taken = _break_before(newer, store.state.log_break, session, statement)
        if taken is None:
            raise
        store.break_log(note, taken)
        return newer
    if newer.size > known.size:
        store.update({"checkpoint": note})
    return newer


def _check_continues(known: Checkpoint, newer: Checkpoint, session: ServerSession) -> None:
    small, large = sorted((known, newer), key=lambda checkpoint: checkpoint.size)
    if small.size == large.size:
        if small != large:  # also where the trees are one and the maps are two
            raise LogVerificationError("the log shows two different histories of one length: it was forked")
        return
    if small.size > 0:
        path = f"/v1/log/consistency?first={small.size}&second={large.size}"
        try:
            proof = session.get(path, ConsistencyAnswer).proof
        except NotFoundError as error:
            raise LogVerificationError(
                "the log is shorter than this device has seen it: it was rolled back, or restored from an old backup"
            ) from error
        verify_consistency(small.size, large.size, proof, small.root, large.root)


def _break_before(newer: Checkpoint, taken: int, session: ServerSession, statement: DomainStatement) -> LogBreak | None:
    """Return the newest log break that was not taken yet and that the log goes through."""
    for note in session.get("/v1/log/breaks", BreaksAnswer).breaks:
        found = open_log_break(note, statement.log_origin, statement.log_key)
        if found.number > taken and found.size <= newer.size:
            _check_continues(Checkpoint(found.origin, found.size, found.root, newer.map_root), newer, session)
            return found
    return None
