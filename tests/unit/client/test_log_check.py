"""The owner's device before a log that hides, rewrites, forks or rolls back."""

import msgspec
import pytest
from support.log_owner import MAILBOX, LogServer, OwnersDevice

from sealwright.client.log_check import check_new_records, verify_log
from sealwright.errors import LogVerificationError
from sealwright.wire.api import ChainAnswer

ALL = f"/v1/log/chain?after=0&mailbox={MAILBOX}"


@pytest.fixture
def server(tmp_path):
    made = LogServer(tmp_path / "one")
    yield made
    made.storage.close()


def changed(answer, **changes):
    return msgspec.structs.replace(answer, **changes)


def test_an_owner_sees_every_record_and_later_only_the_new_ones(server):
    for number in range(4):
        server.act(number=str(number))
        server.act(chain_id="organization", kind="policy.change")
    device = OwnersDevice(server)
    report = verify_log(device)
    assert [record.fields["number"] for record in report.deliveries] == ["0", "1", "2", "3"]
    assert not check_new_records(device).records
    server.act(number="4")
    server.asked.clear()
    assert [record.chain_number for record in check_new_records(device).records] == [5]
    assert server.asked[0].startswith("/v1/log/chain?after=4&")
    assert len(verify_log(device).records) == 5


def test_the_newest_record_cannot_be_kept_back(server):
    server.act()
    old = server.get(ALL, ChainAnswer)
    server.act(device="the thief's")
    new = server.get(ALL, ChainAnswer)
    server.lie = lambda answer: changed(
        answer, leaves=answer.leaves[:1], head_number=old.head_number, head_hash=old.head_hash
    )
    with pytest.raises(LogVerificationError, match="head of the chain"):
        verify_log(OwnersDevice(server))
    # nor with the proof of before, nor by hiding the whole chain
    stale = {"map_siblings": old.map_siblings, "map_other": old.map_other}
    server.lie = lambda answer: changed(old, checkpoint=new.checkpoint, **stale)
    with pytest.raises(LogVerificationError):
        verify_log(OwnersDevice(server))
    server.lie = lambda answer: changed(answer, leaves=(), head_number=0, head_hash=bytes(32))
    with pytest.raises(LogVerificationError, match="hides a chain"):
        verify_log(OwnersDevice(server))


def test_a_device_that_saw_more_refuses_an_older_honest_log(server):
    server.act()
    old = server.get(ALL, ChainAnswer)
    server.act()
    device = OwnersDevice(server)
    verify_log(device)
    server.lie = lambda answer: old
    for check in (verify_log, check_new_records):
        with pytest.raises(LogVerificationError):
            check(device)


def test_a_second_history_under_the_same_key_is_a_fork(server, tmp_path):
    other = LogServer(tmp_path / "two", server.keystore, server.organization_id, server.log_key)
    for each in (server, other):
        each.act()
        each.act()
    device = OwnersDevice(server)
    verify_log(device)
    device.session = other
    with pytest.raises(LogVerificationError, match="forked"):
        check_new_records(device)
    other.act()
    with pytest.raises(LogVerificationError, match="rewritten or forked"):
        verify_log(device)
    other.storage.close()


def test_a_gap_and_a_record_of_somebody_else_are_refused(server):
    for _ in range(3):
        server.act()
    server.lie = lambda answer: changed(answer, leaves=(answer.leaves[0], answer.leaves[2]))
    with pytest.raises(LogVerificationError, match="record 2 is missing"):
        verify_log(OwnersDevice(server))
    server.lie = lambda answer: changed(answer, chain_id="c" * 32)
    with pytest.raises(LogVerificationError, match="another mailbox"):
        verify_log(OwnersDevice(server))
