"""Which device a signing certificate belongs to; the latest time at which an organization's CA worked."""

import sqlalchemy as sa
from alembic import op

from sealwright.storage.schema import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ca_certificate", sa.Column("device_id", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("ca_organization", sa.Column("latest_time", UtcDateTime(), nullable=True))
