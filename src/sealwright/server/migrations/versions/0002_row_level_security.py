"""Row-level security on PostgreSQL: a transaction sees and writes the rows of the organization that it names, and no other.

`storage.engine` names it at the beginning of each transaction, "*" for the system's own jobs. A connection that names none
sees nothing. The policy binds the tables' owner, too; only superusers and roles with BYPASSRLS are beyond it.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "access_token",
    "address",
    "administrator",
    "administrator_passkey",
    "administrator_session",
    "ca_certificate",
    "ca_issuer",
    "ca_organization",
    "certified_key",
    "chain_head",
    "device",
    "directory_certificate",
    "domain_statement",
    "enrolment",
    "key_certificate",
    "key_destruction",
    "key_recovery",
    "key_release",
    "legal_hold",
    "log_break",
    "log_leaf",
    "log_map_page",
    "log_state",
    "log_tile",
    "mailbox",
    "mailbox_key",
    "organization",
    "outbox_item",
    "passkey_challenge",
    "pending_leaf",
    "person",
    "pooled_key",
    "proposal",
    "proposal_approval",
    "protection_password",
    "release_group",
    "service_key",
    "shared_mailbox",
    "shared_member",
    "sign_in_link",
    "statement_delegation",
    "seal_change",
    "storage_key",
    "sync_item",
    "vouched_row",
    "waiting_device",
)
VISIBLE = "current_setting('sealwright.organization_id', true) IN ('*', organization_id)"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organization ON {table} USING ({VISIBLE}) WITH CHECK ({VISIBLE})")
