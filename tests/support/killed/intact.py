"""What holds of a data folder whatever was killed: of its keys, its log, its certificates, its seal, its outbox."""

from collections import Counter
from pathlib import Path

from sqlalchemy import func, select
from support.seals import open_seal

from sealwright.audit.tables import chain_head, log_leaf, log_map_page, log_state, log_tile
from sealwright.ca.tables import ca_certificate
from sealwright.kms.tables import key_release, mailbox_key, pooled_key
from sealwright.outbox.tables import outbox_item
from sealwright.server.schema import metadata
from sealwright.server.sealed_records import SEALED_COLUMNS
from sealwright.tlog.checkpoint import open_note
from sealwright.tlog.leaf import commit, decode_leaf_record
from sealwright.tlog.map import map_key, map_root, map_value, update_map
from sealwright.tlog.tiles import append_hash, hash_reader
from sealwright.tlog.tree import leaf_hash, root_hash

NEVER_SENT = "challenge.mail"
"""There is no mail server in these flows."""
MADE, GIVEN = ("key.create", "key.import"), ("key.release", "key.use", "key.export", "key.exit")


def check_intact(world):
    """Check everything; the outbox is worked off and all leaves are numbered."""
    services = world.services
    services.check()
    with services.storage.read(None) as tx:
        _check_log(services, tx)
        _check_keys(services, tx)
        waiting = tx.fetch_all(select(outbox_item.c.topic, outbox_item.c.last_error))
        assert [tuple(row) for row in waiting if row.topic != NEVER_SENT] == []
        for columns in SEALED_COLUMNS:
            records = columns.sealed_records(tx, services.organization_id, 1_000, 10_000)
            services.keystore.rewrap(tuple(records))  # opens each
    assert open_seal(Path(services.settings.seal.key_file), services.settings.seal_file).current_version >= 1


def _check_log(services, tx):
    """Rebuild the log from its records: tree, tiles, map, chains, salts, signature."""
    state = tx.fetch_one(select(log_state))
    leaves = tx.fetch_all(select(log_leaf).order_by(log_leaf.c.leaf_index))
    assert [leaf.leaf_index for leaf in leaves] == list(range(state.size))
    assert state.signed_size == state.size
    assert len({leaf.leaf_id for leaf in leaves}) == len(leaves)
    # 1 Each record is what its salt and commitment say, and follows the one before it in its chain.
    tiles: dict[tuple[int, int], bytes] = {}
    heads: dict[str, tuple[int, bytes]] = {}
    opened = {record.identity.record_id: record for record in _salts(services, tx)}
    for leaf in leaves:
        record = decode_leaf_record(bytes(leaf.record))
        number, head = heads.get(leaf.chain_id, (0, bytes(32)))
        assert (record.chain_id, record.chain_number, record.previous) == (leaf.chain_id, number + 1, head)
        salt = services.keystore.open_secret(opened[leaf.leaf_id])
        assert commit(salt, bytes(leaf.record)) == leaf.commitment
        heads[leaf.chain_id] = (record.chain_number, leaf.commitment)
        append_hash(tiles, leaf.leaf_index, leaf_hash(leaf.commitment), lambda level, number: b"")
    # 2 Tree, tiles, heads and map in the database are those of these records.
    stored = {(row.level, row.number): bytes(row.hashes) for row in tx.fetch_all(select(log_tile))}
    assert stored == tiles
    assert {row.chain_id: (row.number, row.head) for row in tx.fetch_all(select(chain_head))} == heads
    pages, root = update_map({map_key(each): map_value(*head) for each, head in heads.items()}, lambda prefixes: {})
    assert {row.prefix: bytes(row.slots) for row in tx.fetch_all(select(log_map_page))} == pages
    # 3 And the signed checkpoint says so.
    signed = open_note(state.checkpoint, state.origin, state.key_spki[-32:])
    read = hash_reader(lambda level, number: tiles.get((level, number), b""))
    assert (signed.size, signed.root, signed.map_root) == (state.size, root_hash(state.size, read), root)
    assert map_root(lambda prefixes: {prefix: pages[prefix] for prefix in prefixes if prefix in pages}) == root


def _salts(services, tx):
    columns = next(each for each in SEALED_COLUMNS if each.table is log_leaf)
    return columns.sealed_records(tx, services.organization_id, 1_000, 10_000)


def _check_keys(services, tx):
    rows = tx.fetch_all(select(mailbox_key))
    keys = [*rows, *tx.fetch_all(select(pooled_key))]
    assert len({row.spki for row in keys}) == len(keys)  # no key twice
    slots = {(row.mailbox_id, row.slot) for row in rows}
    for mailbox_id, slot in slots:
        of_slot = [row for row in rows if (row.mailbox_id, row.slot) == (mailbox_id, slot)]
        generations = sorted(row.generation for row in of_slot if row.generation)
        assert generations == list(range(1, len(generations) + 1))  # no gap
        assert sum(row.state == "ACTIVE" for row in of_slot) <= 1
    leaves = [decode_leaf_record(bytes(row.record)) for row in tx.fetch_all(select(log_leaf))]
    made = Counter(leaf.fields["key"] for leaf in leaves if leaf.kind in MADE)
    assert made == Counter(row.id for row in rows)  # each has one leaf that made it
    serials = [row.serial_number for row in tx.fetch_all(select(ca_certificate))]
    issued = [leaf for leaf in leaves if leaf.kind in ("certificate.issue", "issuer.create")]
    assert len(set(serials)) == len(serials) == len(issued)
    releases = [(row.device_id, row.idempotency_key) for row in tx.fetch_all(select(key_release))]
    assert len(set(releases)) == len(releases) == sum(leaf.kind in GIVEN for leaf in leaves)


def shape(world):
    """Return what a flow leaves: how many rows each table has, how many leaves of each kind, which keys in which state."""
    with world.services.storage.read(None) as tx:
        counts = {
            table.name: tx.fetch_value(select(func.count()).select_from(table)) for table in metadata.sorted_tables
        }
        keys = Counter((row.state, row.generation) for row in tx.fetch_all(select(mailbox_key)))
        leaves = Counter(decode_leaf_record(bytes(row.record)).kind for row in tx.fetch_all(select(log_leaf)))
    found = {f"rows of {name}": count for name, count in counts.items()}
    found |= {f"keys {state} of generation {number}": count for (state, number), count in keys.items()}
    return found | {f"leaves {kind}": count for kind, count in leaves.items()}
