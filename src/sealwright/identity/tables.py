"""The tables of people, mailboxes, devices, enrolments, tokens, vouched rows and administrators."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sealwright.storage.schema import UtcDateTime, id_column, metadata

organization = Table(
    "organization",
    metadata,
    id_column("organization_id", primary_key=True),
    Column("name", Text, nullable=False),
    Column("domain", String(253), nullable=False, unique=True),
    Column("created", UtcDateTime, nullable=False),
)

person = Table(
    "person",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    Column("given_name", Text, nullable=False),
    Column("surname", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id"], ["organization.organization_id"]),
)

mailbox = Table(
    "mailbox",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("person_id"),
    Column("state", String(16), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("withdrawn", UtcDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "person_id"], ["person.organization_id", "person.id"]),
)

address = Table(
    "address",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("mailbox_id"),
    Column("address", Text, nullable=False),
    Column("is_primary", Boolean, nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "mailbox_id"], ["mailbox.organization_id", "mailbox.id"]),
    Index(
        "uq_address_in_use",
        "organization_id",
        "address",
        unique=True,
        sqlite_where=text("valid_until IS NULL"),
        postgresql_where=text("valid_until IS NULL"),
    ),
    Index("ix_address_mailbox", "organization_id", "mailbox_id"),
)

shared_mailbox = Table(
    "shared_mailbox",
    metadata,
    id_column("organization_id"),
    id_column("mailbox_id"),
    Column("rekey_on_leave", Boolean, nullable=False),
    PrimaryKeyConstraint("organization_id", "mailbox_id"),
    ForeignKeyConstraint(["organization_id", "mailbox_id"], ["mailbox.organization_id", "mailbox.id"]),
)

shared_member = Table(
    "shared_member",
    metadata,
    id_column("organization_id"),
    id_column("mailbox_id"),
    id_column("member_id"),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "mailbox_id", "member_id"),
    ForeignKeyConstraint(
        ["organization_id", "mailbox_id"], ["shared_mailbox.organization_id", "shared_mailbox.mailbox_id"]
    ),
    ForeignKeyConstraint(["organization_id", "member_id"], ["mailbox.organization_id", "mailbox.id"]),
    Index("ix_shared_member_member", "organization_id", "member_id"),
)
"""Who is, or was, a member of a shared mailbox; the keystore vouches for each row."""

device = Table(
    "device",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("mailbox_id"),
    Column("name", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("authentication_key_spki", LargeBinary, nullable=False),
    Column("authentication_key_sha256", String(64), nullable=False, unique=True),
    Column("hpke_public_key", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("level", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Column("address", Text, nullable=False),
    Column("enrolled", UtcDateTime, nullable=False),
    Column("sync_number", BigInteger, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "mailbox_id"], ["mailbox.organization_id", "mailbox.id"]),
    Index("ix_device_mailbox", "organization_id", "mailbox_id"),
)

enrolment = Table(
    "enrolment",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("mailbox_id"),  # no foreign key: 32 zeros for an unknown address
    Column("address", Text, nullable=False),
    Column("source", String(64), nullable=False),
    Column("device_name", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("authentication_key_spki", LargeBinary, nullable=False),
    Column("hpke_public_key", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    id_column("device_id", nullable=True),
    Column("idempotency_key", String(128)),
    id_column("proof_record_id"),
    id_column("proof_owner"),
    Column("proof_algorithm", String(32), nullable=False),
    Column("proof_storage_version", Integer, nullable=False),
    Column("proof_ciphertext", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id"], ["organization.organization_id"]),
    Index("ix_enrolment_address", "organization_id", "address", "created"),
    Index("ix_enrolment_source", "source", "created"),
)

access_token = Table(
    "access_token",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("device_id"),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("expires", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "device_id"], ["device.organization_id", "device.id"]),
    Index("ix_access_token_device", "organization_id", "device_id"),
)

sync_item = Table(
    "sync_item",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("device_id"),
    Column("number", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "device_id", "number"),
    ForeignKeyConstraint(["organization_id", "device_id"], ["device.organization_id", "device.id"]),
)

vouched_row = Table(
    "vouched_row",
    metadata,
    id_column("organization_id"),
    Column("kind", String(32), nullable=False),
    id_column("row_id"),
    Column("version", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "kind", "row_id"),
    ForeignKeyConstraint(["organization_id"], ["organization.organization_id"]),
)
"""What the keystore vouches for, of any kind (`keystore.model.VouchedRow`)."""

proposal = Table(
    "proposal",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    Column("kind", String(32), nullable=False),
    Column("requester", String(32), nullable=False),  # a mailbox, or empty for the operator at the server
    Column("reason", Text, nullable=False),
    Column("case_number", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("needed", Integer, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided", UtcDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id"], ["organization.organization_id"]),
    Index("ix_proposal_state", "organization_id", "state", "expires"),
)

proposal_approval = Table(
    "proposal_approval",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("proposal_id"),
    id_column("approver"),
    id_column("device_id"),
    Column("decision", String(16), nullable=False),
    Column("subject_sha256", LargeBinary, nullable=False),
    Column("device_thumbprint", LargeBinary, nullable=False),
    Column("signed_at", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "proposal_id", "approver"),
    ForeignKeyConstraint(["organization_id", "proposal_id"], ["proposal.organization_id", "proposal.id"]),
    ForeignKeyConstraint(["organization_id", "device_id"], ["device.organization_id", "device.id"]),
)

release_group = Table(
    "release_group",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    Column("name", String(64), nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "name"),
    ForeignKeyConstraint(["organization_id"], ["organization.organization_id"]),
)

protection_password = Table(
    "protection_password",
    metadata,
    id_column("organization_id"),
    id_column("mailbox_id"),
    id_column("record_id"),
    Column("storage_version", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "mailbox_id"),
    ForeignKeyConstraint(["organization_id", "mailbox_id"], ["mailbox.organization_id", "mailbox.id"]),
)

waiting_device = Table(
    "waiting_device",
    metadata,
    id_column("organization_id"),
    id_column("device_id"),
    id_column("mailbox_id"),
    Column("expires", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "device_id"),
    ForeignKeyConstraint(["organization_id", "device_id"], ["device.organization_id", "device.id"]),
    Index("ix_waiting_device_mailbox", "organization_id", "mailbox_id"),
)
"""Devices that ask to be approved by another one."""

administrator = Table(
    "administrator",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    Column("name", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("password_hash", Text),
    Column("created", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "name"),
    ForeignKeyConstraint(["organization_id"], ["organization.organization_id"]),
)

administrator_passkey = Table(
    "administrator_passkey",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("administrator_id"),
    Column("credential_id", LargeBinary, nullable=False),
    Column("credential_sha256", String(64), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "credential_sha256"),
    ForeignKeyConstraint(
        ["organization_id", "administrator_id"], ["administrator.organization_id", "administrator.id"]
    ),
)

administrator_session = Table(
    "administrator_session",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("administrator_id", nullable=True),  # none while the session only sets an administrator up
    Column("role", String(32), nullable=False),
    Column("with_passkey", Boolean, nullable=False),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(
        ["organization_id", "administrator_id"], ["administrator.organization_id", "administrator.id"]
    ),
)

passkey_challenge = Table(
    "passkey_challenge",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("session_id", nullable=True),  # of a registration; none for a sign-in
    Column("challenge", LargeBinary, nullable=False),
    Column("user_handle", LargeBinary, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id"], ["organization.organization_id"]),
)
"""Each is taken away by the answer to it."""
