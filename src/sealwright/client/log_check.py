"""Checking the owner's log: every leaf is in it, none is missing, nothing was rewritten; and who got the keys."""

from collections.abc import Iterator
from dataclasses import dataclass

from sealwright.client.checkpoints import remember_checkpoint
from sealwright.client.context import ClientContext
from sealwright.errors import LogVerificationError
from sealwright.tlog.leaf import LeafRecord, commit
from sealwright.wire.api import ChainAnswer
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.manifest import ReleaseManifest

_NO_COMMITMENT = bytes(32)
_DELIVERIES = ("key.release", "key.recover", "key.export")


@dataclass(frozen=True, slots=True)
class LogReport:
    """What the owner's log says, after every check.

    Attributes:
        log_size: Leaves in the whole log.
        records: Of this mailbox, in order.
        deliveries: Those of them in which somebody got keys.
        leaf_hashes: In the order of the records.
    """

    log_size: int
    records: tuple[LeafRecord, ...]
    deliveries: tuple[LeafRecord, ...]
    leaf_hashes: tuple[bytes, ...]


def verify_log(context: ClientContext) -> LogReport:
    """Verify the whole chain of the mailbox and remember its head.

    Raises:
        LogVerificationError: If a leaf is missing, changed or not in the log, or the log was rewritten, forked or rolled
            back since this device last looked.
        InvalidSignatureError: If the log did not sign its checkpoint.
    """
    store = context.store
    known_number, known_head = store.state.chain_number, store.state.chain_head
    previous, log_size = _NO_COMMITMENT, 0
    records: list[LeafRecord] = []
    hashes: list[bytes] = []
    for page in _pages(context):
        checkpoint = remember_checkpoint(page.checkpoint, store, context.session, context.statement)
        log_size = max(log_size, checkpoint.size)
        for leaf in page.leaves:
            record = check_leaf(leaf, page.checkpoint, context.statement.log_origin, context.statement.log_key)
            _check_place(context, record, len(records) + 1, previous)
            previous = commit(leaf.salt, leaf.record)
            records.append(record)
            hashes.append(leaf.leaf_hash)
            if record.chain_number == known_number and previous != known_head:
                raise LogVerificationError("the log was rewritten: a record that was seen before has changed")
        if len(records) >= page.head_number and (len(records), previous) != (page.head_number, page.head_hash):
            raise LogVerificationError("the head of the log is not its newest record")
    if len(records) < known_number:
        raise LogVerificationError("the log was rolled back: records that were seen before are gone")
    store.update({"chain_number": len(records), "chain_head": previous})
    deliveries = tuple(record for record in records if record.kind in _DELIVERIES)
    return LogReport(log_size, tuple(records), deliveries, tuple(hashes))


def check_release_in_chain(manifest: ReleaseManifest, report: LogReport) -> None:
    """Check that a release has its place in the chain that its owner sees.

    Raises:
        LogVerificationError: If the chain has another record there, or is shorter: a leaf that only this device was shown.
    """
    if manifest.leaf_hash not in report.leaf_hashes[manifest.chain_number - 1 : manifest.chain_number]:
        raise LogVerificationError("the release is not in the chain that the log shows to its owner")


def _pages(context: ClientContext) -> Iterator[ChainAnswer]:
    after = 0
    while True:
        page = context.session.get(f"/v1/log/chain?after={after}&mailbox={context.enrolled.mailbox_id}", ChainAnswer)
        if page.chain_id != context.enrolled.mailbox_id:
            raise LogVerificationError("the log's answer is about another mailbox")
        yield page
        after += len(page.leaves)
        if after >= page.head_number:
            return
        if not page.leaves:
            raise LogVerificationError("the log names records that it does not show")


def _check_place(context: ClientContext, record: LeafRecord, number: int, previous: bytes) -> None:
    enrolled = context.enrolled
    if (record.organization_id, record.chain_id) != (enrolled.organization_id, enrolled.mailbox_id):
        raise LogVerificationError("the log shows a record of another mailbox")
    if record.chain_number != number:
        raise LogVerificationError(f"record {number} is missing from the log")
    if record.previous != previous:
        raise LogVerificationError(f"record {number} of the log does not follow the one before it")
