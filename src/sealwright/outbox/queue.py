"""Write a side effect into the transaction of the act that causes it: both become durable, or neither."""

import json
from datetime import UTC, datetime

from sqlalchemy import func, select, update

from sealwright.errors import ConflictError
from sealwright.outbox.tables import outbox_item
from sealwright.storage.engine import Transaction
from sealwright.storage.schema import new_id

CHANNEL = "outbox"
"""`Storage.listen` channel that every put announces."""
DUE_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


def put(tx: Transaction, organization_id: str, topic: str, payload: dict[str, str], key: str | None = None) -> str:
    """Queue `payload` for the handler of `topic`; it is handled at least once after the commit.

    Args:
        tx: The act's transaction.
        organization_id: Whose item.
        topic: `subject.action`, at most 64 characters.
        payload: Names, never a secret in clear.
        key: While an item of this topic and key waits, putting it again replaces its payload instead of queueing a second
            one; if a handler is at work on it just then, the item is handled once more.

    Returns:
        The item's id.

    Raises:
        ConflictError: If the item came and went several times meanwhile.
    """
    tx.announce(CHANNEL)
    item_id = new_id()
    encoded = json.dumps(payload, sort_keys=True)
    values = {
        "organization_id": organization_id,
        "item_id": item_id,
        "topic": topic,
        "item_key": item_id if key is None else key,
        "payload": encoded,
        "revision": 1,
        "due": DUE_AT_ONCE,
        "attempts": 0,
        "claim": "",
        "last_error": "",
    }
    same = (
        (outbox_item.c.organization_id == organization_id)
        & (outbox_item.c.topic == topic)
        & (outbox_item.c.item_key == values["item_key"])
    )
    for _ in range(3):
        if tx.insert_missing(outbox_item, values):
            return item_id
        again = update(outbox_item).where(same).values(payload=encoded, revision=outbox_item.c.revision + 1)
        if tx.execute(again) == 1:
            return str(tx.fetch_value(select(outbox_item.c.item_id).where(same)))
    raise ConflictError("the outbox item changed meanwhile; try again")


def count_waiting(tx: Transaction) -> int:
    """Return how many items wait, over all organizations that the transaction sees; for health and metrics."""
    return int(tx.fetch_value(select(func.count()).select_from(outbox_item)))
