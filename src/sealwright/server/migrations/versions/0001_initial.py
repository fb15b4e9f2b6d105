"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

from sealwright.storage.schema import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ca_organization",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("organization_identifier", sa.String(length=128), nullable=True),
        sa.Column("kms_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_ca_organization")),
    )
    op.create_table(
        "directory_certificate",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("slot", sa.String(length=16), nullable=False),
        sa.Column("certificate_sha256", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("capabilities", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("published", UtcDateTime(), nullable=False),
        sa.Column("withdrawn", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_directory_certificate")),
        sa.UniqueConstraint(
            "organization_id", "address", "certificate_sha256", name="uq_directory_certificate_address"
        ),
    )
    op.create_index("ix_directory_certificate_address", "directory_certificate", ["address"], unique=False)
    op.create_table(
        "domain_statement",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "sequence", name=op.f("pk_domain_statement")),
    )
    op.create_table(
        "log_state",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("signed_size", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("cosigned", sa.Text(), nullable=False),
        sa.Column("latest_time", UtcDateTime(), nullable=False),
        sa.Column("key_record_id", sa.String(length=32), nullable=False),
        sa.Column("key_owner", sa.Text(), nullable=False),
        sa.Column("key_storage_version", sa.Integer(), nullable=False),
        sa.Column("key_ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("key_spki", sa.LargeBinary(), nullable=False),
        sa.Column("lease_holder", sa.String(length=32), nullable=False),
        sa.Column("lease_expires", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_log_state")),
    )
    op.create_table(
        "organization",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_organization")),
        sa.UniqueConstraint("domain", name=op.f("uq_organization_domain")),
    )
    op.create_table(
        "outbox_item",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("item_id", sa.String(length=32), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("item_key", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim", sa.String(length=32), nullable=False),
        sa.Column("last_error", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "item_id", name=op.f("pk_outbox_item")),
        sa.UniqueConstraint(
            "organization_id", "topic", "item_key", name=op.f("uq_outbox_item_organization_id_topic_item_key")
        ),
    )
    op.create_index("ix_outbox_item_due", "outbox_item", ["due"], unique=False)
    op.create_table(
        "service_key",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("algorithm", sa.String(length=32), nullable=False),
        sa.Column("storage_key_version", sa.Integer(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("spki", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "purpose", name=op.f("pk_service_key")),
    )
    op.create_table(
        "sign_in_link",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.Column("used", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_sign_in_link")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_sign_in_link_token_sha256")),
    )
    op.create_table(
        "seal_change",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("noted", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "number", name=op.f("pk_seal_change")),
    )
    op.create_table(
        "storage_key",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("introduced", UtcDateTime(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("rewrapped", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "version", name=op.f("pk_storage_key")),
    )
    op.create_table(
        "statement_delegation",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("root_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "not_after", name=op.f("pk_statement_delegation")),
    )
    op.create_table(
        "ca_issuer",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("key_record_id", sa.String(length=32), nullable=False),
        sa.Column("key_algorithm", sa.String(length=32), nullable=False),
        sa.Column("key_storage_version", sa.Integer(), nullable=False),
        sa.Column("key_ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("key_spki", sa.LargeBinary(), nullable=False),
        sa.Column("crl_number", sa.BigInteger(), nullable=False),
        sa.Column("crl", sa.LargeBinary(), nullable=False),
        sa.Column("crl_next_update", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["ca_organization.organization_id"],
            name=op.f("fk_ca_issuer_organization_id_ca_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_ca_issuer")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_ca_issuer_organization_id_name")),
    )
    op.create_table(
        "chain_head",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["log_state.organization_id"], name=op.f("fk_chain_head_organization_id_log_state")
        ),
        sa.PrimaryKeyConstraint("organization_id", "chain_id", name=op.f("pk_chain_head")),
    )
    op.create_table(
        "enrolment",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("device_name", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("authentication_key_spki", sa.LargeBinary(), nullable=False),
        sa.Column("hpke_public_key", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=True),
        sa.Column("idempotency_key", sa.String(length=128), nullable=True),
        sa.Column("proof_record_id", sa.String(length=32), nullable=False),
        sa.Column("proof_owner", sa.String(length=32), nullable=False),
        sa.Column("proof_algorithm", sa.String(length=32), nullable=False),
        sa.Column("proof_storage_version", sa.Integer(), nullable=False),
        sa.Column("proof_ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.organization_id"],
            name=op.f("fk_enrolment_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_enrolment")),
    )
    op.create_index("ix_enrolment_address", "enrolment", ["organization_id", "address", "created"], unique=False)
    op.create_index("ix_enrolment_source", "enrolment", ["source", "created"], unique=False)
    op.create_table(
        "log_leaf",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
        sa.Column("leaf_id", sa.String(length=32), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("chain_number", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("salt_ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("salt_storage_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["log_state.organization_id"], name=op.f("fk_log_leaf_organization_id_log_state")
        ),
        sa.PrimaryKeyConstraint("organization_id", "leaf_index", name=op.f("pk_log_leaf")),
        sa.UniqueConstraint(
            "organization_id",
            "chain_id",
            "chain_number",
            name=op.f("uq_log_leaf_organization_id_chain_id_chain_number"),
        ),
        sa.UniqueConstraint("organization_id", "leaf_id", name=op.f("uq_log_leaf_organization_id_leaf_id")),
    )
    op.create_table(
        "log_map_page",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("slots", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["log_state.organization_id"], name=op.f("fk_log_map_page_organization_id_log_state")
        ),
        sa.PrimaryKeyConstraint("organization_id", "prefix", name=op.f("pk_log_map_page")),
    )
    op.create_table(
        "log_break",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["log_state.organization_id"], name=op.f("fk_log_break_organization_id_log_state")
        ),
        sa.PrimaryKeyConstraint("organization_id", "number", name=op.f("pk_log_break")),
    )
    op.create_table(
        "log_tile",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["log_state.organization_id"], name=op.f("fk_log_tile_organization_id_log_state")
        ),
        sa.PrimaryKeyConstraint("organization_id", "level", "number", name=op.f("pk_log_tile")),
    )
    op.create_table(
        "pending_leaf",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("leaf_id", sa.String(length=32), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("chain_number", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("salt_ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("salt_storage_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["log_state.organization_id"], name=op.f("fk_pending_leaf_organization_id_log_state")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pending_leaf")),
        sa.UniqueConstraint(
            "organization_id",
            "chain_id",
            "chain_number",
            name=op.f("uq_pending_leaf_organization_id_chain_id_chain_number"),
        ),
        sa.UniqueConstraint("organization_id", "leaf_id", name=op.f("uq_pending_leaf_organization_id_leaf_id")),
    )
    op.create_index("ix_pending_leaf_order", "pending_leaf", ["organization_id", "number"], unique=False)
    op.create_table(
        "person",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("given_name", sa.Text(), nullable=False),
        sa.Column("surname", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.organization_id"], name=op.f("fk_person_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_person")),
    )
    op.create_table(
        "pooled_key",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("algorithm", sa.String(length=32), nullable=False),
        sa.Column("storage_version", sa.Integer(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("spki", sa.LargeBinary(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.organization_id"],
            name=op.f("fk_pooled_key_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_pooled_key")),
    )
    op.create_table(
        "release_group",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.organization_id"],
            name=op.f("fk_release_group_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_release_group")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_release_group_organization_id_name")),
    )
    op.create_table(
        "vouched_row",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("row_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.organization_id"],
            name=op.f("fk_vouched_row_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "kind", "row_id", name=op.f("pk_vouched_row")),
    )
    op.create_table(
        "ca_certificate",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("issuer_id", sa.String(length=32), nullable=False),
        sa.Column("serial_number", sa.String(length=40), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("spki_sha256", sa.String(length=64), nullable=False),
        sa.Column("request_key", sa.String(length=64), nullable=False),
        sa.Column("renewal", sa.Integer(), nullable=False),
        sa.Column("tbs_certificate", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("revocation_date", UtcDateTime(), nullable=True),
        sa.Column("revocation_reason", sa.String(length=32), nullable=True),
        sa.Column("device_id", sa.String(length=32), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(
            ["organization_id", "issuer_id"],
            ["ca_issuer.organization_id", "ca_issuer.id"],
            name=op.f("fk_ca_certificate_organization_id_ca_issuer"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_ca_certificate")),
        sa.UniqueConstraint(
            "organization_id",
            "request_key",
            "renewal",
            name=op.f("uq_ca_certificate_organization_id_request_key_renewal"),
        ),
        sa.UniqueConstraint(
            "organization_id", "serial_number", name=op.f("uq_ca_certificate_organization_id_serial_number")
        ),
    )
    op.create_index(op.f("ix_ca_certificate_mailbox_id"), "ca_certificate", ["mailbox_id"], unique=False)
    op.create_index(op.f("ix_ca_certificate_spki_sha256"), "ca_certificate", ["spki_sha256"], unique=False)
    op.create_table(
        "certified_key",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("spki_sha256", sa.String(length=64), nullable=False),
        sa.Column("usage", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("compromised", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["ca_organization.organization_id"],
            name=op.f("fk_certified_key_organization_id_ca_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "spki_sha256", name=op.f("pk_certified_key")),
    )
    op.create_table(
        "mailbox",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("withdrawn", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "person_id"],
            ["person.organization_id", "person.id"],
            name=op.f("fk_mailbox_organization_id_person"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_mailbox")),
    )
    op.create_table(
        "address",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "mailbox_id"],
            ["mailbox.organization_id", "mailbox.id"],
            name=op.f("fk_address_organization_id_mailbox"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_address")),
    )
    op.create_index("ix_address_mailbox", "address", ["organization_id", "mailbox_id"], unique=False)
    op.create_index(
        "uq_address_in_use",
        "address",
        ["organization_id", "address"],
        unique=True,
        sqlite_where=sa.text("valid_until IS NULL"),
        postgresql_where=sa.text("valid_until IS NULL"),
    )
    _create_shared_mailboxes()
    op.create_table(
        "device",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("authentication_key_spki", sa.LargeBinary(), nullable=False),
        sa.Column("authentication_key_sha256", sa.String(length=64), nullable=False),
        sa.Column("hpke_public_key", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("enrolled", UtcDateTime(), nullable=False),
        sa.Column("sync_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "mailbox_id"],
            ["mailbox.organization_id", "mailbox.id"],
            name=op.f("fk_device_organization_id_mailbox"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_device")),
        sa.UniqueConstraint("authentication_key_sha256", name=op.f("uq_device_authentication_key_sha256")),
    )
    op.create_index("ix_device_mailbox", "device", ["organization_id", "mailbox_id"], unique=False)
    op.create_table(
        "protection_password",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("storage_version", sa.Integer(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "mailbox_id"],
            ["mailbox.organization_id", "mailbox.id"],
            name=op.f("fk_protection_password_organization_id_mailbox"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "mailbox_id", name=op.f("pk_protection_password")),
    )
    op.create_table(
        "waiting_device",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "device_id"],
            ["device.organization_id", "device.id"],
            name=op.f("fk_waiting_device_organization_id_device"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "device_id", name=op.f("pk_waiting_device")),
    )
    op.create_index("ix_waiting_device_mailbox", "waiting_device", ["organization_id", "mailbox_id"], unique=False)
    op.create_table(
        "mailbox_key",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.String(length=16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_version", sa.Integer(), nullable=False),
        sa.Column("state_mac", sa.LargeBinary(), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("exported", sa.Boolean(), nullable=False),
        sa.Column("algorithm", sa.String(length=32), nullable=False),
        sa.Column("storage_version", sa.Integer(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("spki", sa.LargeBinary(), nullable=False),
        sa.Column("spki_sha256", sa.String(length=64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("deactivated", UtcDateTime(), nullable=True),
        sa.Column("destroyed", UtcDateTime(), nullable=True),
        sa.Column("examined", UtcDateTime(), nullable=True),
        sa.Column("examined_well", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "mailbox_id"],
            ["mailbox.organization_id", "mailbox.id"],
            name=op.f("fk_mailbox_key_organization_id_mailbox"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_mailbox_key")),
        sa.UniqueConstraint(
            "organization_id",
            "mailbox_id",
            "spki_sha256",
            name=op.f("uq_mailbox_key_organization_id_mailbox_id_spki_sha256"),
        ),
    )
    op.create_index(
        "uq_mailbox_key_generation",
        "mailbox_key",
        ["organization_id", "mailbox_id", "slot", "generation"],
        unique=True,
        sqlite_where=sa.text("generation > 0"),
        postgresql_where=sa.text("generation > 0"),
    )
    op.create_index(
        "uq_mailbox_key_active",
        "mailbox_key",
        ["organization_id", "mailbox_id", "slot"],
        unique=True,
        sqlite_where=sa.text("state = 'ACTIVE'"),
        postgresql_where=sa.text("state = 'ACTIVE'"),
    )
    op.create_table(
        "access_token",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "device_id"],
            ["device.organization_id", "device.id"],
            name=op.f("fk_access_token_organization_id_device"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_access_token")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_access_token_token_sha256")),
    )
    op.create_index("ix_access_token_device", "access_token", ["organization_id", "device_id"], unique=False)
    op.create_table(
        "legal_hold",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("lifted", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "mailbox_id"],
            ["mailbox.organization_id", "mailbox.id"],
            name=op.f("fk_legal_hold_organization_id_mailbox"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_legal_hold")),
    )
    op.create_index("ix_legal_hold_mailbox", "legal_hold", ["organization_id", "mailbox_id"], unique=False)
    op.create_table(
        "key_destruction",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("destroyed", UtcDateTime(), nullable=False),
        sa.Column("leaf_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "key_id"],
            ["mailbox_key.organization_id", "mailbox_key.id"],
            name=op.f("fk_key_destruction_organization_id_mailbox_key"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "key_id", name=op.f("pk_key_destruction")),
    )
    op.create_table(
        "key_certificate",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("certificate_sha256", sa.String(length=64), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "key_id"],
            ["mailbox_key.organization_id", "mailbox_key.id"],
            name=op.f("fk_key_certificate_organization_id_mailbox_key"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_key_certificate")),
        sa.UniqueConstraint(
            "organization_id",
            "key_id",
            "certificate_sha256",
            name=op.f("uq_key_certificate_organization_id_key_id_certificate_sha256"),
        ),
    )
    op.create_table(
        "key_release",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("key_ids", sa.Text(), nullable=False),
        sa.Column("leaf_id", sa.String(length=32), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "device_id"],
            ["device.organization_id", "device.id"],
            name=op.f("fk_key_release_organization_id_device"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_key_release")),
        sa.UniqueConstraint(
            "organization_id",
            "device_id",
            "idempotency_key",
            name=op.f("uq_key_release_organization_id_device_id_idempotency_key"),
        ),
    )
    op.create_table(
        "sync_item",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "device_id"],
            ["device.organization_id", "device.id"],
            name=op.f("fk_sync_item_organization_id_device"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_sync_item")),
        sa.UniqueConstraint(
            "organization_id", "device_id", "number", name=op.f("uq_sync_item_organization_id_device_id_number")
        ),
    )
    op.create_table(
        "administrator",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.organization_id"],
            name=op.f("fk_administrator_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_administrator")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_administrator_organization_id_name")),
    )
    op.create_table(
        "passkey_challenge",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=True),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("user_handle", sa.LargeBinary(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.organization_id"],
            name=op.f("fk_passkey_challenge_organization_id_organization"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_passkey_challenge")),
    )
    op.create_table(
        "administrator_passkey",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("administrator_id", sa.String(length=32), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("credential_sha256", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "administrator_id"],
            ["administrator.organization_id", "administrator.id"],
            name=op.f("fk_administrator_passkey_organization_id_administrator"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_administrator_passkey")),
        sa.UniqueConstraint(
            "organization_id",
            "credential_sha256",
            name=op.f("uq_administrator_passkey_organization_id_credential_sha256"),
        ),
    )
    op.create_table(
        "administrator_session",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("administrator_id", sa.String(length=32), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("with_passkey", sa.Boolean(), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "administrator_id"],
            ["administrator.organization_id", "administrator.id"],
            name=op.f("fk_administrator_session_organization_id_administrator"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_administrator_session")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_administrator_session_token_sha256")),
    )
    op.create_table(
        "proposal",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("requester", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decided", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.organization_id"], name=op.f("fk_proposal_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_proposal")),
    )
    op.create_index("ix_proposal_state", "proposal", ["organization_id", "state", "expires"], unique=False)
    op.create_table(
        "proposal_approval",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("proposal_id", sa.String(length=32), nullable=False),
        sa.Column("approver", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("subject_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("device_thumbprint", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "device_id"],
            ["device.organization_id", "device.id"],
            name=op.f("fk_proposal_approval_organization_id_device"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "proposal_id"],
            ["proposal.organization_id", "proposal.id"],
            name=op.f("fk_proposal_approval_organization_id_proposal"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_proposal_approval")),
        sa.UniqueConstraint(
            "organization_id",
            "proposal_id",
            "approver",
            name=op.f("uq_proposal_approval_organization_id_proposal_id_approver"),
        ),
    )
    _create_recoveries()


def _create_shared_mailboxes() -> None:
    op.create_table(
        "shared_mailbox",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("rekey_on_leave", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "mailbox_id"],
            ["mailbox.organization_id", "mailbox.id"],
            name=op.f("fk_shared_mailbox_organization_id_mailbox"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "mailbox_id", name=op.f("pk_shared_mailbox")),
    )
    op.create_table(
        "shared_member",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("changed", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "mailbox_id"],
            ["shared_mailbox.organization_id", "shared_mailbox.mailbox_id"],
            name=op.f("fk_shared_member_organization_id_shared_mailbox"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "member_id"],
            ["mailbox.organization_id", "mailbox.id"],
            name=op.f("fk_shared_member_organization_id_mailbox"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "mailbox_id", "member_id", name=op.f("pk_shared_member")),
    )
    op.create_index("ix_shared_member_member", "shared_member", ["organization_id", "member_id"], unique=False)


def _create_recoveries() -> None:
    op.create_table(
        "key_recovery",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("mailbox_id", sa.String(length=32), nullable=False),
        sa.Column("release_at", UtcDateTime(), nullable=False),
        sa.Column("owner_at", UtcDateTime(), nullable=False),
        sa.Column("notice_leaf_id", sa.String(length=32), nullable=False),
        sa.Column("key_ids", sa.Text(), nullable=False),
        sa.Column("leaf_id", sa.String(length=32), nullable=False),
        sa.Column("leaf_chain", sa.Text(), nullable=False),
        sa.Column("told", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "id"],
            ["proposal.organization_id", "proposal.id"],
            name=op.f("fk_key_recovery_organization_id_proposal"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "mailbox_id"],
            ["mailbox.organization_id", "mailbox.id"],
            name=op.f("fk_key_recovery_organization_id_mailbox"),
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_key_recovery")),
    )
    op.create_index("ix_key_recovery_told", "key_recovery", ["organization_id", "told", "owner_at"], unique=False)
