"""The log's witnesses: a quorum that the domain statement names has confirmed, lately, the log that this device is shown."""

from datetime import timedelta

from sealwright.client.checkpoints import remember_checkpoint
from sealwright.client.context import ClientContext
from sealwright.errors import DecodingError, LogVerificationError, NotFoundError
from sealwright.tlog.cosignature import verified_cosignatures
from sealwright.wire.api import CosignedAnswer

MAX_AGE = timedelta(days=3)
"""A weekend without witnesses is no alarm; a split log stays unnoticed for no longer."""
CLOCK_SLACK = timedelta(minutes=5)


def check_witnesses(context: ClientContext) -> int:
    """Check that a quorum of witnesses cosigned a checkpoint of the log that this device knows; return how many did.

    Raises:
        LogVerificationError: If too few did, or not lately, or what they cosigned is another history.
    """
    statement = context.statement
    if not statement.witness_quorum:
        return 0
    try:
        note = context.session.get("/v1/log/cosigned", CosignedAnswer).checkpoint
        found = verified_cosignatures(note, statement.witness_keys)
    except (NotFoundError, DecodingError) as error:
        raise LogVerificationError("the log shows no checkpoint that its witnesses confirmed") from error
    now = context.clock.now()
    lately = range(int((now - MAX_AGE).timestamp()), int((now + CLOCK_SLACK).timestamp()) + 1)
    count = sum(each.time in lately for each in found)
    if count < statement.witness_quorum:
        raise LogVerificationError(
            f"{count} of {statement.witness_quorum} witnesses confirmed the log in the last {MAX_AGE.days} days: it may be"
            " shown to this device alone; ask your administrator"
        )
    remember_checkpoint(note, context.store, context.session, statement)
    return count
