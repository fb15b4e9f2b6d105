"""Every place where the database keeps sealed records; whoever adds a table with ciphertext adds it here (a test compares)."""

from sealwright.audit.store import SALT_PURPOSE
from sealwright.audit.tables import log_leaf, log_state, pending_leaf
from sealwright.ca.tables import ca_issuer
from sealwright.identity.tables import enrolment, protection_password
from sealwright.keystore.factors import PASSWORD
from sealwright.keystore.model import POOL
from sealwright.kms.tables import mailbox_key, pooled_key
from sealwright.server.tables import service_key
from sealwright.storage.sealed import SealedColumns

SEALED_COLUMNS = (
    SealedColumns(
        service_key,
        "service-key",
        service_key.c.record_id,
        service_key.c.purpose,
        service_key.c.storage_key_version,
        service_key.c.ciphertext,
        service_key.c.algorithm,
        service_key.c.spki,
    ),
    SealedColumns(
        log_state,
        "service-key",
        log_state.c.key_record_id,
        log_state.c.key_owner,
        log_state.c.key_storage_version,
        log_state.c.key_ciphertext,
        "ed25519",
        log_state.c.key_spki,
    ),
    SealedColumns(
        ca_issuer,
        "service-key",
        ca_issuer.c.key_record_id,
        "issuer/{}",
        ca_issuer.c.key_storage_version,
        ca_issuer.c.key_ciphertext,
        ca_issuer.c.key_algorithm,
        ca_issuer.c.key_spki,
        owner_part=ca_issuer.c.name,
    ),
    SealedColumns(
        mailbox_key,
        "encryption-key",
        mailbox_key.c.id,
        mailbox_key.c.mailbox_id,
        mailbox_key.c.storage_version,
        mailbox_key.c.ciphertext,
        mailbox_key.c.algorithm,
        mailbox_key.c.spki,
        mailbox_key.c.generation,
    ),
    SealedColumns(
        pooled_key,
        "encryption-key",
        pooled_key.c.id,
        POOL,
        pooled_key.c.storage_version,
        pooled_key.c.ciphertext,
        pooled_key.c.algorithm,
        pooled_key.c.spki,
    ),
    SealedColumns(
        enrolment,
        "proof",
        enrolment.c.proof_record_id,
        enrolment.c.proof_owner,
        enrolment.c.proof_storage_version,
        enrolment.c.proof_ciphertext,
        enrolment.c.proof_algorithm,
    ),
    SealedColumns(
        protection_password,
        PASSWORD,
        protection_password.c.record_id,
        protection_password.c.mailbox_id,
        protection_password.c.storage_version,
        protection_password.c.ciphertext,
        PASSWORD,
    ),
    SealedColumns(
        pending_leaf,
        "secret",
        pending_leaf.c.leaf_id,
        SALT_PURPOSE,
        pending_leaf.c.salt_storage_version,
        pending_leaf.c.salt_ciphertext,
    ),
    SealedColumns(
        log_leaf,
        "secret",
        log_leaf.c.leaf_id,
        SALT_PURPOSE,
        log_leaf.c.salt_storage_version,
        log_leaf.c.salt_ciphertext,
    ),
)
"""In this order they are re-sealed. Leaves come last: a pending one becomes a numbered one, never the other way round."""
