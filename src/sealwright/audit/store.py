"""SQL of the log."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from sealwright.audit.model import Act
from sealwright.audit.tables import chain_head, log_break, log_leaf, log_map_page, log_state, log_tile, pending_leaf
from sealwright.errors import ConflictError, NotFoundError
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.storage.engine import Transaction
from sealwright.tlog import tiles
from sealwright.tlog.map import PageReader
from sealwright.tlog.tree import HASH_BYTES, HashReader

SALT_PURPOSE = "leaf-salt"
NO_HEAD = bytes(HASH_BYTES)
_STATE = select(log_state).where(log_state.c.organization_id == bindparam("organization_id"))
_LATEST_TIME = select(log_state.c.latest_time).where(log_state.c.organization_id == bindparam("organization_id"))
_LEAF = select(log_leaf).where(
    log_leaf.c.organization_id == bindparam("organization_id"), log_leaf.c.leaf_id == bindparam("leaf_id")
)
_TILE = select(log_tile.c.hashes).where(
    log_tile.c.organization_id == bindparam("organization_id"),
    log_tile.c.level == bindparam("level"),
    log_tile.c.number == bindparam("number"),
)
# in an UPDATE the names of columns are those of new values
_OF_CHAIN = (chain_head.c.organization_id == bindparam("of_organization")) & (
    chain_head.c.chain_id == bindparam("of_chain")
)
_HEAD = select(chain_head.c.number, chain_head.c.head).where(_OF_CHAIN)
_LONGER = update(chain_head).where(_OF_CHAIN).values(number=chain_head.c.number + 1)
_NEW_HEAD = update(chain_head).where(_OF_CHAIN).values(head=bindparam("new_head"))
_PENDING = insert(pending_leaf)
MAX_BREAKS = 100
# what each batch of the sequencer asks
_OF_LOG = log_state.c.organization_id == bindparam("of_organization")
_LEASE = (
    update(log_state)
    .where(_OF_LOG, (log_state.c.lease_holder == bindparam("by")) | (log_state.c.lease_expires <= bindparam("now")))
    .values(lease_holder=bindparam("by"), lease_expires=bindparam("until"))
)
_GROW = update(log_state).where(_OF_LOG, log_state.c.size == bindparam("old_size")).values(size=bindparam("new_size"))
_PUBLISH = (
    update(log_state)
    .where(_OF_LOG, log_state.c.signed_size == bindparam("old_size"))
    .values(signed_size=bindparam("new_size"), checkpoint=bindparam("note"))
)
_WORK = (
    select(pending_leaf.c.organization_id).distinct(),
    select(log_state.c.organization_id).where(log_state.c.size > log_state.c.signed_size),
)
_WAITING = (
    select(pending_leaf)
    .where(pending_leaf.c.organization_id == bindparam("organization_id"))
    .order_by(pending_leaf.c.number)
    .limit(bindparam("most"))
)
_TAKEN = delete(pending_leaf).where(pending_leaf.c.number.in_(bindparam("numbers", expanding=True)))
_NUMBERED = insert(log_leaf)
_LEAF_COLUMNS = [column.name for column in log_leaf.columns if column.name != "leaf_index"]
_NEW_HEADS = (
    select(log_leaf.c.chain_id, log_leaf.c.chain_number, log_leaf.c.commitment)
    .where(
        log_leaf.c.organization_id == bindparam("organization_id"),
        log_leaf.c.leaf_index >= bindparam("start"),
        log_leaf.c.leaf_index < bindparam("end"),
    )
    .order_by(log_leaf.c.leaf_index)
)
_WIDER = (
    update(log_tile)
    .where(
        log_tile.c.organization_id == bindparam("of_organization"),
        log_tile.c.level == bindparam("of_level"),
        log_tile.c.number == bindparam("of_number"),
    )
    .values(hashes=bindparam("new_hashes"))
)
_PAGES = select(log_map_page.c.prefix, log_map_page.c.slots).where(
    log_map_page.c.organization_id == bindparam("organization_id"),
    log_map_page.c.prefix.in_(bindparam("prefixes", expanding=True)),
)
_PAGE = (
    update(log_map_page)
    .where(
        log_map_page.c.organization_id == bindparam("of_organization"), log_map_page.c.prefix == bindparam("of_prefix")
    )
    .values(slots=bindparam("new_slots"))
)
MAX_NAMES = 500
"""Names in one statement; every database takes as many parameters."""


def insert_state(tx: Transaction, values: dict[str, Any], log_key: SealedRecord) -> None:
    """Insert the row of a new log; ConflictError if there is one."""
    key = {
        "key_record_id": log_key.identity.record_id,
        "key_owner": log_key.identity.owner,
        "key_storage_version": log_key.storage_key_version,
        "key_ciphertext": log_key.ciphertext,
        "key_spki": log_key.spki,
    }
    tx.execute(insert(log_state).values(**values, **key))


def get_state(tx: Transaction, organization_id: str) -> Row[Any]:
    """Return the row of a log; NotFoundError if there is none."""
    row = tx.fetch_one(_STATE, {"organization_id": organization_id})
    if row is None:
        raise NotFoundError("the organization has no log")
    return row


def log_key_of(state: Row[Any]) -> SealedRecord:
    """Return the sealed key that signs the log's checkpoints."""
    identity = RecordIdentity("service-key", state.organization_id, state.key_record_id, state.key_owner)
    return SealedRecord(identity, "ed25519", state.key_storage_version, state.key_ciphertext, state.key_spki)


def salt_of(leaf: Row[Any]) -> SealedRecord:
    """Return the sealed salt of a leaf."""
    identity = RecordIdentity("secret", leaf.organization_id, leaf.leaf_id, SALT_PURPOSE)
    return SealedRecord(identity, "secret", leaf.salt_storage_version, leaf.salt_ciphertext)


def latest_time(tx: Transaction, organization_id: str) -> datetime:
    """Return the latest time that was marked; ConflictError if the organization has no log."""
    found: datetime | None = tx.fetch_value(_LATEST_TIME, {"organization_id": organization_id})
    if found is None:
        raise ConflictError("the organization has no log")
    return found


def mark_time(tx: Transaction, organization_id: str, before: datetime, now: datetime) -> None:
    """Mark a later time."""
    earlier = (log_state.c.organization_id == organization_id) & (log_state.c.latest_time == before)
    tx.execute(update(log_state).where(earlier).values(latest_time=now))


def add_break(tx: Transaction, organization_id: str, number: int, note: str) -> bool:
    """Insert a break unless it is there; return whether it was inserted."""
    own = (log_break.c.organization_id == organization_id) & (log_break.c.number == number)
    if tx.fetch_value(select(func.count()).select_from(log_break).where(own)):
        return False
    tx.execute(insert(log_break).values(organization_id=organization_id, number=number, note=note))
    return True


def breaks(tx: Transaction, organization_id: str) -> list[str]:
    """Return the newest breaks, newest first, as far as one answer goes."""
    own = select(log_break.c.note).where(log_break.c.organization_id == organization_id)
    return [row.note for row in tx.fetch_all(own.order_by(log_break.c.number.desc()).limit(MAX_BREAKS))]


def take_lease(tx: Transaction, organization_id: str, holder: str, now: datetime, until: datetime) -> bool:
    """Take or keep the lease of a log; the row stays locked until the transaction ends."""
    return tx.execute(_LEASE, {"of_organization": organization_id, "by": holder, "now": now, "until": until}) == 1


def release_leases(tx: Transaction, holder: str, now: datetime) -> None:
    """Give up every lease of a holder."""
    tx.execute(update(log_state).where(log_state.c.lease_holder == holder).values(lease_expires=now))


def grow(tx: Transaction, organization_id: str, old_size: int, size: int) -> None:
    """Give a log more numbered leaves; ConflictError if it does not have the old size any more."""
    values = {"of_organization": organization_id, "old_size": old_size, "new_size": size}
    tx.change_one(_GROW, "the log was extended meanwhile", values)


def publish(tx: Transaction, organization_id: str, old_size: int, size: int, checkpoint: str) -> None:
    """Set the newest checkpoint; ConflictError if the newest is not of the old size any more."""
    values = {"of_organization": organization_id, "old_size": old_size, "new_size": size, "note": checkpoint}
    tx.change_one(_PUBLISH, "the log was signed meanwhile", values)


def set_cosigned(tx: Transaction, organization_id: str, note: str) -> None:
    """Set the newest checkpoint that witnesses cosigned."""
    tx.execute(update(log_state).where(log_state.c.organization_id == organization_id).values(cosigned=note))


def organizations_with_logs(tx: Transaction) -> list[str]:
    """Return every organization that has a log."""
    return [row.organization_id for row in tx.fetch_all(select(log_state.c.organization_id))]


def organizations_with_work(tx: Transaction) -> list[str]:
    """Return every organization whose log has leaves to number, or numbered ones to sign."""
    return sorted({row.organization_id for query in _WORK for row in tx.fetch_all(query)})


def extend_chain(tx: Transaction, act: Act) -> tuple[int, bytes]:
    """Take the next number of the act's chain and lock the chain; return it and the head before it."""
    of_chain = {"of_organization": act.organization_id, "of_chain": act.chain_id}
    if tx.execute(_LONGER, of_chain) == 0:
        key = {"organization_id": act.organization_id, "chain_id": act.chain_id}
        tx.insert_missing(chain_head, {**key, "number": 0, "head": NO_HEAD})
        tx.execute(_LONGER, of_chain)
    row = tx.fetch_one(_HEAD, of_chain)
    if row is None:
        raise ConflictError("the chain changed meanwhile")
    return row.number, row.head


def set_head(tx: Transaction, organization_id: str, chain_id: str, head: bytes) -> None:
    """Record the commitment of a chain's newest record."""
    tx.execute(_NEW_HEAD, {"of_organization": organization_id, "of_chain": chain_id, "new_head": head})


def insert_pending(tx: Transaction, values: dict[str, Any]) -> None:
    """Queue a leaf."""
    tx.execute(_PENDING, values)


def pending_leaves(tx: Transaction, organization_id: str, limit: int) -> Sequence[Row[Any]]:
    """Return the oldest leaves that wait for an index."""
    return tx.fetch_all(_WAITING, {"organization_id": organization_id, "most": limit})


def number_leaves(tx: Transaction, first_index: int, leaves: Sequence[Row[Any]]) -> None:
    """Move pending leaves into the log; ConflictError if somebody else did."""
    rows = [
        {"leaf_index": first_index + offset, **{name: getattr(leaf, name) for name in _LEAF_COLUMNS}}
        for offset, leaf in enumerate(leaves)
    ]
    numbers = [leaf.number for leaf in leaves]
    if tx.execute(_TAKEN, {"numbers": numbers}) != len(numbers):
        raise ConflictError("the leaves were numbered meanwhile")
    tx.execute(_NUMBERED, rows)


def find_leaf(tx: Transaction, organization_id: str, leaf_id: str) -> Row[Any] | None:
    """Return a numbered leaf, signed or not."""
    return tx.fetch_one(_LEAF, {"organization_id": organization_id, "leaf_id": leaf_id})


def leaves_between(tx: Transaction, organization_id: str, start: int, end: int) -> Sequence[Row[Any]]:
    """Return the leaves of the indexes from `start` up to but without `end`."""
    wanted = (log_leaf.c.organization_id == organization_id) & log_leaf.c.leaf_index.between(start, end - 1)
    return tx.fetch_all(select(log_leaf).where(wanted).order_by(log_leaf.c.leaf_index))


def commitments(tx: Transaction, organization_id: str, start: int, end: int) -> list[bytes]:
    """Return the commitments of the leaves from `start` up to but without `end`."""
    wanted = (log_leaf.c.organization_id == organization_id) & log_leaf.c.leaf_index.between(start, end - 1)
    rows = tx.fetch_all(select(log_leaf.c.commitment).where(wanted).order_by(log_leaf.c.leaf_index))
    return [bytes(row.commitment) for row in rows]


def new_heads(tx: Transaction, organization_id: str, start: int, end: int) -> dict[str, tuple[int, bytes]]:
    """Return number and commitment of the newest record of each chain that grew between two indexes."""
    rows = tx.fetch_all(_NEW_HEADS, {"organization_id": organization_id, "start": start, "end": end})
    return {row.chain_id: (row.chain_number, row.commitment) for row in rows}


def chain_leaves(
    tx: Transaction, organization_id: str, chain_id: str, after: int, size: int, limit: int
) -> Sequence[Row[Any]]:
    """Return the leaves of a chain after a number, in its order, from the first `size` leaves of the log."""
    of_chain = (log_leaf.c.organization_id == organization_id) & (log_leaf.c.chain_id == chain_id)
    newer = of_chain & (log_leaf.c.chain_number > after) & (log_leaf.c.leaf_index < size)
    return tx.fetch_all(select(log_leaf).where(newer).order_by(log_leaf.c.chain_number).limit(limit))


def newest_leaves(tx: Transaction, organization_id: str, chain_id: str, before: int, limit: int) -> Sequence[Row[Any]]:
    """Return the numbered leaves of a chain before a number, newest first."""
    of_chain = (log_leaf.c.organization_id == organization_id) & (log_leaf.c.chain_id == chain_id)
    chosen = select(log_leaf.c.leaf_index, log_leaf.c.record).where(of_chain, log_leaf.c.chain_number < before)
    return tx.fetch_all(chosen.order_by(log_leaf.c.chain_number.desc()).limit(limit))


def included_head(tx: Transaction, organization_id: str, chain_id: str, size: int) -> tuple[int, bytes]:
    """Return number and commitment of a chain's newest record among the log's first `size` leaves.

    Raises:
        NotFoundError: If there is no such chain.
    """
    of_chain = (log_leaf.c.organization_id == organization_id) & (log_leaf.c.chain_id == chain_id)
    newest = select(log_leaf.c.chain_number, log_leaf.c.commitment).where(of_chain, log_leaf.c.leaf_index < size)
    row = tx.fetch_one(newest.order_by(log_leaf.c.chain_number.desc()).limit(1))
    if row is not None:
        return row.chain_number, row.commitment
    of_head = (chain_head.c.organization_id == organization_id) & (chain_head.c.chain_id == chain_id)
    if not tx.fetch_value(select(func.count()).select_from(chain_head).where(of_head)):
        raise NotFoundError("there is no such chain in the log")
    return 0, NO_HEAD


def read_tile(tx: Transaction, organization_id: str, level: int, number: int) -> bytes:
    """Return a tile's joined hashes; empty if the log has not come to it."""
    of_tile = {"organization_id": organization_id, "level": level, "number": number}
    return bytes(tx.fetch_value(_TILE, of_tile) or b"")


def write_tile(tx: Transaction, organization_id: str, level: int, number: int, hashes: bytes) -> None:
    """Insert or extend a tile."""
    of_tile = {"of_organization": organization_id, "of_level": level, "of_number": number}
    if tx.execute(_WIDER, {**of_tile, "new_hashes": hashes}) == 0:
        key = {"organization_id": organization_id, "level": level, "number": number}
        tx.execute(insert(log_tile).values(**key, hashes=hashes))


def read_map_pages(tx: Transaction, organization_id: str, prefixes: Iterable[str]) -> Mapping[str, bytes]:
    """Return those of some pages of the map that there are."""
    wanted = list(prefixes)
    pages: dict[str, bytes] = {}
    for start in range(0, len(wanted), MAX_NAMES):
        named = wanted[start : start + MAX_NAMES]
        rows = tx.fetch_all(_PAGES, {"organization_id": organization_id, "prefixes": named})
        pages.update((row.prefix, bytes(row.slots)) for row in rows)
    return pages


def write_map_pages(tx: Transaction, organization_id: str, pages: Mapping[str, bytes]) -> None:
    """Insert pages, or replace them."""
    for prefix, slots in pages.items():
        if tx.execute(_PAGE, {"of_organization": organization_id, "of_prefix": prefix, "new_slots": slots}) == 0:
            key = {"organization_id": organization_id, "prefix": prefix}
            tx.execute(insert(log_map_page).values(**key, slots=slots))


def map_reader(tx: Transaction, organization_id: str) -> PageReader:
    """Return a reader of the map's pages."""
    return lambda prefixes: read_map_pages(tx, organization_id, prefixes)


def hash_reader(tx: Transaction, organization_id: str) -> HashReader:
    """Return a reader of the log's subtree hashes over its tiles."""
    return tiles.hash_reader(lambda level, number: read_tile(tx, organization_id, level, number))
