"""Checking the owner's log: every leaf is in it, none is missing, nothing was rewritten; and who got the keys."""

from collections.abc import Iterator
from dataclasses import dataclass

from sealwright.client.checkpoints import remember_checkpoint
from sealwright.client.context import ClientContext
from sealwright.errors import LogVerificationError
from sealwright.tlog.leaf import LeafRecord, commit
from sealwright.wire.api import ChainAnswer
from sealwright.wire.leaf_check import check_head, check_leaf
from sealwright.wire.manifest import ReleaseManifest

_NO_COMMITMENT = bytes(32)
_DELIVERIES = ("key.release", "key.recover", "key.export", "key.exit")


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
        LogVerificationError: If a leaf is missing, changed, kept back or not in the log, or the log was rewritten, forked or
            rolled back since this device last looked.
    """
    return _follow(context, 0, _NO_COMMITMENT)


def check_new_records(context: ClientContext) -> LogReport:
    """Verify what the mailbox's chain has beyond the head that this device remembers, and remember the new head.

    Raises:
        LogVerificationError: As `verify_log`.
    """
    state = context.store.state
    return _follow(context, state.chain_number, state.chain_head or _NO_COMMITMENT)


def _follow(context: ClientContext, after: int, previous: bytes) -> LogReport:
    store, statement = context.store, context.statement
    known_number, known_head = store.state.chain_number, store.state.chain_head
    number, log_size = after, 0
    records: list[LeafRecord] = []
    hashes: list[bytes] = []
    for page in _pages(context, after):
        known_break = store.state.log_break
        checkpoint = remember_checkpoint(page.checkpoint, store, context.session, statement)
        if store.state.log_break != known_break:  # what was known of the chain is of the history before
            return _follow(context, 0, _NO_COMMITMENT)
        check_head(page, checkpoint)
        log_size = max(log_size, checkpoint.size)
        for leaf in page.leaves:
            record = check_leaf(leaf, page.checkpoint, statement.log_origin, statement.log_key)
            _check_place(context, record, number + 1, previous)
            number, previous = number + 1, commit(leaf.salt, leaf.record)
            records.append(record)
            hashes.append(leaf.leaf_hash)
            if number == known_number and previous != known_head:
                raise LogVerificationError("the log was rewritten: a record that was seen before has changed")
        if number >= page.head_number and (number, previous) != (page.head_number, page.head_hash):
            raise LogVerificationError("the head of the log is not its newest record")
    if number < known_number:
        raise LogVerificationError("the log was rolled back: records that were seen before are gone")
    if number != known_number:
        store.update({"chain_number": number, "chain_head": previous})
    deliveries = tuple(record for record in records if record.kind in _DELIVERIES)
    return LogReport(log_size, tuple(records), deliveries, tuple(hashes))


def check_release_in_chain(manifest: ReleaseManifest, report: LogReport) -> None:
    """Check that a release has its place in the chain that its owner sees.

    Raises:
        LogVerificationError: If the chain has another record there, or is shorter: a leaf that only this device was shown.
    """
    if manifest.leaf_hash not in report.leaf_hashes[manifest.chain_number - 1 : manifest.chain_number]:
        raise LogVerificationError("the release is not in the chain that the log shows to its owner")


def _pages(context: ClientContext, after: int) -> Iterator[ChainAnswer]:
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
