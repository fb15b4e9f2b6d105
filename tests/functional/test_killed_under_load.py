"""kill -9 of the server, and a backup of it, while devices ask for keys: what was answered stays, nothing is there twice."""

import json
import random
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from base64 import b64decode
from contextlib import closing

import pytest

from bench.load import Load
from bench.site import running_site
from demo.programs import PROGRAM, run
from sealwright.server.settings import load_settings
from sealwright.server.wiring import build
from sealwright.tlog.tree import leaf_hash
from sealwright.wire.api import ReleaseRequest

pytestmark = pytest.mark.proof
PATH = "/v1/releases"
CONNECTIONS = 4


@pytest.fixture(scope="module")
def site():
    with running_site(people=2) as made:
        yield made


class Asking:
    """Devices that ask on several connections until the server is gone or everything is answered."""

    def __init__(self, site, chance, count=60):
        self.requests = site.signed_posts(
            PATH, [ReleaseRequest(request_nonce=chance.randbytes(32)) for _ in range(count)]
        )
        self.answered = {}
        self._port, self._context = site.port, ssl.create_default_context(cafile=str(site.anchor))
        shares = [range(first, count, CONNECTIONS) for first in range(CONNECTIONS)]
        self._threads = [threading.Thread(target=self._ask, args=(share,)) for share in shares]

    def start(self):
        for thread in self._threads:
            thread.start()

    def wait(self):
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _ask(self, numbers):
        try:
            with (
                socket.create_connection(("127.0.0.1", self._port), 30) as plain,
                self._context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
                connection.makefile("rb") as answers,
            ):
                for number in numbers:
                    connection.sendall(self.requests[number])
                    self.answered[number] = leaf_of(answers)
        except (OSError, ValueError):
            return  # the server is gone


def leaf_of(answers):
    """Read one answer and return the hash of its leaf."""
    status, length = answers.readline(), 0
    while (line := answers.readline().strip().lower()) != b"":
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    content = answers.read(length)
    if len(content) != length or not status:
        raise ValueError("the answer broke off")
    assert status.startswith(b"HTTP/1.1 200 "), content
    return b64decode(json.loads(content)["leaf"]["leaf_hash"])


def rows(data, statement):
    with closing(sqlite3.connect(data / "sealwright.db")) as database:
        return database.execute(statement).fetchall()


def check_log(data):
    """Return the hashes of all leaves, once everything is numbered; no number is missing or there twice."""
    deadline = time.monotonic() + 30
    while rows(data, "SELECT 1 FROM pending_leaf"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [index for (index,) in rows(data, "SELECT leaf_index FROM log_leaf ORDER BY 1")] == list(
        range(*rows(data, "SELECT 0, size FROM log_state")[0])
    )
    chains = rows(data, "SELECT chain_id, count(*), max(chain_number) FROM log_leaf GROUP BY chain_id")
    assert [chain for chain, count, last in chains if count != last] == []
    releases = rows(data, "SELECT leaf_id FROM key_release")
    assert len(set(releases)) == len(releases)
    leaves = rows(data, "SELECT leaf_id, commitment FROM log_leaf")
    assert {leaf_id for (leaf_id,) in releases} <= {leaf_id for leaf_id, _ in leaves}
    return {leaf_hash(bytes(commitment)) for _, commitment in leaves}


def test_what_was_answered_before_a_kill_stays_and_a_retry_makes_no_second_leaf(site, proof_round):
    chance = random.Random(proof_round)
    asking = Asking(site, chance)
    asking.start()
    time.sleep(chance.uniform(0.05, 0.8))
    site.server.kill()
    asking.wait()
    site.server.start()
    assert set(asking.answered.values()) <= check_log(site.data)
    before = rows(site.data, "SELECT count(*) FROM key_release")[0][0]
    missing = [number for number in range(len(asking.requests)) if number not in asking.answered]
    Load(site.port, site.anchor).send(asking.requests)  # the same octets again: the killed process's memory is gone
    check_log(site.data)
    ((after,),) = rows(site.data, "SELECT count(*) FROM key_release")
    assert before <= after <= before + len(missing)
    assert (
        rows(site.data, "SELECT count(*) FROM key_release GROUP BY device_id, idempotency_key HAVING count(*) > 1")
        == []
    )


def test_a_backup_under_load_holds_what_was_answered_before_it_and_comes_back(site, proof_round, tmp_path):
    chance = random.Random(1000 + proof_round)
    asking = Asking(site, chance)
    asking.start()
    time.sleep(chance.uniform(0.05, 0.5))
    before = set(asking.answered.values())
    backup, restored = tmp_path / "backup.tar.gz", tmp_path / "restored"
    taking = subprocess.run([PROGRAM, "backup", site.data, "-o", backup], check=True, capture_output=True, timeout=60)
    assert taking.returncode == 0
    asking.wait()
    assert len(asking.answered) == len(asking.requests)
    run([str(PROGRAM), "restore", str(backup), str(restored)])
    run([str(PROGRAM), "lift-quarantine", str(restored), "--yes"])
    services = build(load_settings(restored))
    try:
        services.audit.start()  # numbers what the backup caught between commit and number
        services.check()
        assert before <= check_log(restored)
    finally:
        services.audit.stop()
        services.close()
