"""PostgreSQL shows a transaction the rows of its own organization only, whatever a statement forgets to say."""

import secrets
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import insert, make_url, select, text, update

from sealwright.errors import UnavailableError
from sealwright.server.schema import metadata, upgrade
from sealwright.server.tables import sign_in_link
from sealwright.storage.compiled import CompiledQuery
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import new_id

ONE, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def storage(cluster):
    """A migrated database, opened as its owner, who is no superuser, as in production."""
    url, role = cluster.new_database(), f"r{secrets.token_hex(8)}"
    name = make_url(url).database or ""
    conninfo = f"host={cluster.socket_folder} port={cluster.port} user=postgres dbname=postgres"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(role)))
    opened = open_storage(url.replace("postgres@", f"{role}@"))
    upgrade(opened)
    yield opened
    opened.close()


def add(tx, organization_id):
    values = {
        "organization_id": organization_id,
        "id": new_id(),
        "token_sha256": secrets.token_hex(32),
        "role": "auditor",
    }
    tx.execute(insert(sign_in_link).values(**values, expires=datetime(2026, 11, 24, tzinfo=UTC)))


def seen(tx):
    return {row.organization_id for row in tx.fetch_all(select(sign_in_link.c.organization_id))}


def test_a_transaction_sees_and_changes_its_own_organization_only(storage):
    for organization_id in (ONE, OTHER):
        with storage.transaction(organization_id) as tx:
            add(tx, organization_id)
    with storage.read(ONE) as tx:
        assert seen(tx) == {ONE}
    with storage.transaction(OTHER) as tx:
        assert seen(tx) == {OTHER}
        assert tx.execute(update(sign_in_link).values(used=None)) == 1
        assert tx.execute(update(sign_in_link).where(sign_in_link.c.organization_id == ONE).values(used=None)) == 0
    with storage.read(None) as tx:
        assert seen(tx) == {ONE, OTHER}


def test_a_compiled_query_is_the_whole_servers(storage):
    for organization_id in (ONE, OTHER):
        with storage.transaction(organization_id) as tx:
            add(tx, organization_id)
    query = CompiledQuery(storage, select(sign_in_link.c.organization_id))
    assert {row[0] for row in query.fetch_all()} == {ONE, OTHER}
    with storage.read(ONE) as tx:  # on the connection that the query used
        assert seen(tx) == {ONE}


def test_nothing_is_written_for_another_organization(storage):
    with pytest.raises(UnavailableError), storage.transaction(ONE) as tx:
        add(tx, OTHER)
    with storage.read(None) as tx:
        assert seen(tx) == set()


def test_a_connection_that_names_no_organization_sees_nothing(storage):
    with storage.transaction(ONE) as tx:
        add(tx, ONE)
    with storage.engine.connect() as connection:
        assert connection.execute(select(sign_in_link)).all() == []


def test_the_setting_ends_with_its_transaction(storage):
    with storage.transaction(None) as tx:
        add(tx, ONE)
    for _ in range(20):  # whichever pooled connection it is
        with storage.read(OTHER) as tx:
            assert seen(tx) == set()
        with storage.engine.connect() as connection:
            assert connection.execute(select(sign_in_link)).all() == []


def test_every_table_of_a_tenant_is_protected(storage):
    with storage.read(None) as tx:
        rows = tx.fetch_all(text(
            "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid"
            " WHERE relrowsecurity AND relforcerowsecurity"
        ))  # fmt: skip
    assert {row.relname for row in rows} == {
        name for name, table in metadata.tables.items() if "organization_id" in table.c
    }


def test_an_error_does_not_show_what_a_statement_was_about(storage):
    values = {"organization_id": ONE, "id": "a-secret-value" * 9, "token_sha256": "", "expires": datetime.now(UTC)}
    with pytest.raises(UnavailableError) as caught, storage.transaction(ONE) as tx:
        tx.execute(insert(sign_in_link).values(**values))
    assert "too long" in str(caught.value.__cause__)
    assert "a-secret-value" not in str(caught.value.__cause__)
