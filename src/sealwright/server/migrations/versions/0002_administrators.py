"""Administrators of the console: passwords, passkeys, sessions."""

import sqlalchemy as sa
from alembic import op

from sealwright.storage.schema import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "administrator",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
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
