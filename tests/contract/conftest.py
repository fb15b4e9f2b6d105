"""Every contract test runs on SQLite and on PostgreSQL."""

import os
import threading

import pytest
from support.postgres import find_binaries, postgres_cluster

import sealwright.audit.tables
import sealwright.outbox.tables  # noqa: F401 - registers its table
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata


@pytest.fixture(scope="session")
def cluster():
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    with postgres_cluster(binaries) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'contract.db'}"
    return request.getfixturevalue("cluster").new_database()


@pytest.fixture
def storage(database_url):
    opened = open_storage(database_url, pool_size=12)
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def race():
    """Run a function in eight threads at once; return what each returned or raised."""

    def run(work, threads=8):
        barrier, outcomes = threading.Barrier(threads), [None] * threads

        def one(number):
            barrier.wait()
            try:
                outcomes[number] = work(number)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                outcomes[number] = error

        started = [threading.Thread(target=one, args=(number,)) for number in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        return outcomes

    return run
