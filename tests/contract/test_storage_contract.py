"""What every database must do: atomic acts, one winner per single-use row, consistent views."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, bindparam, insert, select, update

from sealwright.errors import ConflictError, UnavailableError
from sealwright.storage.compiled import CompiledQuery
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import UtcDateTime, id_column, new_id

ticket = Table(
    "contract_ticket",
    MetaData(),  # of its own: it is no table of the product
    id_column("organization_id", primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("at", UtcDateTime),
)
ORGANIZATION = new_id()


@pytest.fixture(autouse=True)
def _tickets(storage):
    ticket.create(storage.engine)


def add(storage, name, state="new"):
    with storage.transaction(ORGANIZATION) as tx:
        tx.execute(insert(ticket).values(organization_id=ORGANIZATION, name=name, state=state, count=0, at=None))


def test_eight_threads_redeem_each_ticket_once(storage, race):
    names = [f"t{number}" for number in range(20)]
    for name in names:
        add(storage, name)

    def redeem(_):
        won = 0
        for name in names:
            try:
                with storage.transaction(ORGANIZATION) as tx:
                    old = update(ticket).where(ticket.c.name == name, ticket.c.state == "new")
                    tx.change_one(old.values(state="used"), "used already")
                won += 1
            except ConflictError:
                pass
        return won

    assert sum(race(redeem)) == len(names)


def test_eight_threads_insert_a_missing_row_once_and_none_fails(storage, race):
    def put(_):
        with storage.transaction(ORGANIZATION) as tx:
            values = {"organization_id": ORGANIZATION, "name": "same", "state": "new", "count": 0, "at": None}
            inserted = tx.insert_missing(ticket, values)
            tx.change_one(update(ticket).where(ticket.c.name == "same").values(count=ticket.c.count + 1), "gone")
        return inserted

    assert sorted(race(put)) == [False] * 7 + [True]
    with storage.read(ORGANIZATION) as tx:
        assert tx.fetch_value(select(ticket.c.count)) == 8


def test_an_exception_rolls_everything_back_and_wakes_nobody(storage):
    woken = []
    end = storage.listen("contract", lambda: woken.append("listener"))
    with pytest.raises(RuntimeError), storage.transaction(ORGANIZATION) as tx:
        tx.execute(insert(ticket).values(organization_id=ORGANIZATION, name="a", state="new", count=0))
        tx.announce("contract")
        tx.after_commit(lambda: woken.append("action"))
        raise RuntimeError
    assert woken == []
    with storage.transaction(ORGANIZATION) as tx:
        assert tx.fetch_all(select(ticket)) == []
        tx.announce("contract")
        tx.announce("contract")
        tx.after_commit(lambda: woken.append("action"))
    assert woken == ["listener", "action"]
    end()
    with storage.transaction(ORGANIZATION) as tx:
        tx.announce("contract")
    assert woken == ["listener", "action"]


def test_a_second_row_with_the_same_key_is_a_conflict(storage):
    add(storage, "a")
    with pytest.raises(ConflictError):
        add(storage, "a")
    add(storage, "b")


def test_a_change_that_touches_two_rows_is_refused_whole(storage):
    add(storage, "a")
    add(storage, "b")
    with pytest.raises(ConflictError), storage.transaction(ORGANIZATION) as tx:
        tx.change_one(update(ticket).values(state="used"), "not one")
    with storage.read(ORGANIZATION) as tx:
        assert {row.state for row in tx.fetch_all(select(ticket))} == {"new"}


def test_a_reader_keeps_one_view_while_a_writer_commits(storage):
    add(storage, "a")
    with storage.read(ORGANIZATION) as tx:
        before = len(tx.fetch_all(select(ticket)))
        add(storage, "b")
        assert len(tx.fetch_all(select(ticket))) == before == 1
    with storage.read(ORGANIZATION) as tx:
        assert len(tx.fetch_all(select(ticket))) == 2


def test_times_come_back_aware_and_whole(storage):
    add(storage, "a")
    at = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
    for value in (at, at - timedelta(days=40_000)):
        with storage.transaction(ORGANIZATION) as tx:
            tx.execute(update(ticket).values(at=value))
            assert tx.fetch_value(select(ticket.c.at)) == value
    with pytest.raises(Exception, match="naive"), storage.transaction(ORGANIZATION) as tx:
        tx.execute(update(ticket).values(at=at.replace(tzinfo=None)))


def test_a_database_that_does_not_answer_is_unavailable(tmp_path):
    gone = open_storage(f"postgresql+psycopg://nobody@/none?host={tmp_path}&port=1")
    with pytest.raises(UnavailableError), gone.transaction(None):
        pass
    gone.close()


def test_a_compiled_query_finds_what_was_committed_whatever_the_order_of_its_parameters(storage, race):
    before, after = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    for name, at in (("early", before), ("late", after), ("never", None)):
        add(storage, name)
        with storage.transaction(ORGANIZATION) as tx:
            tx.execute(update(ticket).where(ticket.c.name == name).values(at=at))
    wanted = select(ticket.c.name, ticket.c.count).where(
        ticket.c.at <= bindparam("now", type_=UtcDateTime), ticket.c.name == bindparam("name")
    )
    query = CompiledQuery(storage, wanted.limit(5))
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert query.fetch_all(now=now, name="early") == query.fetch_all(name="early", now=now) == [("early", 0)]
    assert query.fetch_all(now=now, name="late") == query.fetch_all(now=now, name="never") == []
    assert race(lambda _: query.fetch_all(now=after, name="late")) == [[("late", 0)]] * 8
    with pytest.raises(ValueError, match="naive"):
        query.fetch_all(now=now.replace(tzinfo=None), name="early")


def test_a_compiled_query_without_its_table_is_unavailable(storage):
    query = CompiledQuery(storage, select(ticket.c.name).limit(1))
    ticket.drop(storage.engine)
    with pytest.raises(UnavailableError):
        query.fetch_all()
