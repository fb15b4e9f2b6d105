"""The database's schema: all tables of all rooms, made and upgraded by the migrations."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import sealwright.audit.tables
import sealwright.ca.tables
import sealwright.directory.tables
import sealwright.identity.tables
import sealwright.kms.tables
import sealwright.outbox.tables
import sealwright.server.tables
from sealwright.errors import ConfigurationError
from sealwright.storage.engine import ALL_ORGANIZATIONS, ORGANIZATION_SETTING, Storage
from sealwright.storage.schema import metadata

__all__ = ["check_schema", "metadata", "upgrade"]

ROOMS = (
    sealwright.audit.tables,
    sealwright.ca.tables,
    sealwright.directory.tables,
    sealwright.identity.tables,
    sealwright.kms.tables,
    sealwright.outbox.tables,
    sealwright.server.tables,
)
"""Whoever imports this module has every table on `metadata`."""
MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(storage: Storage) -> str:
    """Bring the schema to the newest revision and return it.

    Raises:
        ConfigurationError: If the database was made by a newer program.
    """
    config = _config()
    with storage.engine.connect() as connection:
        if storage.dialect == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:  # row-level security binds the tables' owner, too
            setting = text("SELECT set_config(:name, :value, true)")
            connection.execute(setting, {"name": ORGANIZATION_SETTING, "value": ALL_ORGANIZATIONS})
        _check_known(MigrationContext.configure(connection).get_current_revision())
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        return str(MigrationContext.configure(connection).get_current_revision())


def check_schema(storage: Storage) -> None:
    """Check that the schema is at the newest revision.

    Raises:
        ConfigurationError: If it is not.
    """
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    with storage.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    _check_known(current)
    if current != newest:
        raise ConfigurationError(
            f"the database's schema is {current or 'missing'}, this program needs {newest}:"
            " stop the server, back it up and run 'sealwright upgrade'"
        )


def _check_known(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise ConfigurationError(f"the database's schema is {revision}, made by a newer program than this one")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
