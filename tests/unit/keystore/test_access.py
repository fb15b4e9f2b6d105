"""Who may have keys: rows that were vouched for and are the newest, levels, groups, deny rules, locked devices."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.release_evidence import DEVICE, MAILBOX, NOW, ORGANIZATION, make_device

from sealwright.errors import (
    ApprovalsMissingError,
    ConflictError,
    InputError,
    PermissionDeniedError,
    SealedError,
)
from sealwright.keystore.access import DeviceAccess
from sealwright.keystore.model import DeviceCredential, ReleasePolicy
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.keystore.versions import RowName, Versions
from sealwright.keystore.vouching import Vouching

GROUP, OTHER_GROUP = "1" * 32, "2" * 32
PUBLIC = make_device().public


@pytest.fixture
def access(tmp_path):
    return DeviceAccess(Vouching(b"m" * 32), Versions(tmp_path / "versions"))


@pytest.fixture
def credential(access):
    return access.enrol(DeviceCredential(ORGANIZATION, MAILBOX, DEVICE, PUBLIC, "", 0, b""))


def rules(access, from_version=0, row_id=ORGANIZATION, **said):
    return access.vouch_release_rules(ORGANIZATION, row_id, ReleaseRules(**said), from_version)


def check(access, credential, policy, now=NOW, source=""):
    access.check_access(credential, policy, now, source)


def refused(access, credential, policy, kind=PermissionDeniedError, now=NOW, source=""):
    with pytest.raises(kind) as told:
        check(access, credential, policy, now, source)
    return told.value.message


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_level_needs_its_factor_and_a_higher_one_serves_too(access, credential, level):
    policy = ReleasePolicy(rules(access, level=level))
    for proved in range(1, 5):
        raised = access.raise_level(credential, proved)
        if proved < level:
            refused(access, raised, policy, ApprovalsMissingError)
        else:
            check(access, raised, policy)
        credential = raised


def test_raising_the_policy_makes_enrolled_devices_step_up(access, credential):
    first = rules(access)
    check(access, credential, ReleasePolicy(first))
    second = rules(access, first.version, level=2)
    assert "protection password" in refused(access, credential, ReleasePolicy(second), ApprovalsMissingError)
    assert "put back" in refused(access, access.raise_level(credential, 2), ReleasePolicy(first))  # the old policy


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"level": 3}, {"level": 2}),
        ({"delivery": "remote"}, {"delivery": "sealed"}),
        ({"networks": ("192.0.2.0/24",)}, {"networks": ()}),
        ({"networks": ("192.0.2.0/24",)}, {"networks": ("192.0.2.0/24", "0.0.0.0/0")}),
        ({"hours": ("mon-fri 07:00-19:00 UTC",)}, {"hours": ()}),
        ({"hours": ("mon-fri 07:00-19:00 UTC",)}, {"hours": ("mon-fri 07:00-20:00 UTC",)}),
        ({"max_devices": 2}, {"max_devices": 3}),
        ({"max_devices": 2}, {"max_devices": 0}),
    ],
)
def test_a_weaker_policy_is_refused_and_a_stronger_one_is_not(access, old, new):
    first = rules(access, **old)
    for from_version in (0, first.version):  # whatever row the caller says it has
        with pytest.raises((ApprovalsMissingError, ConflictError)):
            rules(access, from_version, **new)
    with pytest.raises(ApprovalsMissingError):
        rules(access, first.version, **new)
    assert rules(access, first.version, **{**old, "level": 4}).version == first.version + 1


def test_the_switch_for_exports_is_no_weaker_policy(access):
    first = rules(access)
    second = rules(access, first.version, export_key=True)
    assert rules(access, second.version).version == 3


@pytest.mark.parametrize(
    "said",
    [
        {"level": 0},
        {"level": 5},
        {"delivery": "clear"},
        {"networks": ("192.0.2.1/24",)},
        {"networks": ("intranet",)},
        {"networks": ("192.0.2.0/24",) * 65},
        {"max_devices": -1},
        {"max_devices": 101},
        {"hours": ("mon-fri",)},
        {"hours": ("foo-fri 07:00-19:00 UTC",)},
        {"hours": ("mon-foo 07:00-19:00 UTC",)},
        {"hours": ("mon-fri 19:00-07:00 UTC",)},
        {"hours": ("mon-fri 07:00-24:01 UTC",)},
        {"hours": ("mon-fri 07:00-19:00 Nowhere/None",)},
        {"hours": ("mon-fri 07:00-19:00 ../../etc",)},
        {"hours": ("mon 07:00-19:00 UTC",) * 17},
    ],
)
def test_what_is_no_policy_is_not_vouched_for(access, said):
    with pytest.raises(InputError):
        rules(access, **said)


def test_a_group_adds_to_the_organization_and_takes_nothing_away(access, credential):
    organization, group = rules(access, level=2), rules(access, row_id=GROUP, level=1, networks=("192.0.2.0/24",))
    member = access.vouch_mailbox_release(ORGANIZATION, MAILBOX, MailboxRelease(GROUP), 0)
    policy = ReleasePolicy(organization, member, group)
    refused(access, credential, policy, ApprovalsMissingError)
    raised = access.raise_level(credential, 2)
    refused(access, raised, policy)
    check(access, raised, policy, source="192.0.2.9")
    # every way of leaving the group's row out
    other = rules(access, row_id=OTHER_GROUP)
    for left_out in (
        ReleasePolicy(organization),
        ReleasePolicy(organization, member),
        ReleasePolicy(organization, None, group),
        ReleasePolicy(organization, member, other),
        ReleasePolicy(organization, member, organization),
        ReleasePolicy(group, member, group),
    ):
        refused(access, raised, left_out, source="192.0.2.9")
    foreign = access.vouch_mailbox_release(ORGANIZATION, "c" * 32, MailboxRelease(), 0)
    refused(access, raised, ReleasePolicy(organization, foreign), source="192.0.2.9")
    with pytest.raises(ApprovalsMissingError):  # nobody leaves a group, nor changes it for another, without approvals
        access.vouch_mailbox_release(ORGANIZATION, MAILBOX, MailboxRelease(OTHER_GROUP), member.version)


def test_a_frozen_mailbox_gets_nothing_and_stays_frozen(access, credential):
    organization = rules(access)
    frozen = access.vouch_mailbox_release(ORGANIZATION, MAILBOX, MailboxRelease(frozen=True), 0)
    assert "frozen" in refused(access, credential, ReleasePolicy(organization, frozen))
    assert "missing" in refused(access, credential, ReleasePolicy(organization))
    with pytest.raises(ApprovalsMissingError):
        access.vouch_mailbox_release(ORGANIZATION, MAILBOX, MailboxRelease(), frozen.version)


def test_networks_and_hours(access, credential):
    hours = ("mon-fri 07:00-19:00 Europe/Berlin", "sun-mon 22:00-24:00 UTC")
    policy = ReleasePolicy(rules(access, networks=("192.0.2.0/24", "2001:db8::/32"), hours=hours))

    def at(day, hour, minute=0):
        return datetime(2026, 11, day, hour, minute, tzinfo=UTC)  # 2026-11-23 is a Monday

    for source in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"):
        check(access, credential, policy, at(23, 6), source)
    for source in ("", "198.51.100.1", "::1", "192.0.2.7 ", "x"):
        assert "networks" in refused(access, credential, policy, now=at(23, 6), source=source)
    for now in (at(23, 17, 59), at(27, 12), at(29, 22), at(23, 23, 59)):
        check(access, credential, policy, now, "192.0.2.7")
    for now in (at(23, 5, 59), at(23, 18), at(28, 12), at(29, 21, 59), at(24, 23)):
        assert "time" in refused(access, credential, policy, now=now, source="192.0.2.7")


def test_a_locked_device_gets_nothing_until_it_is_unlocked(access, credential):
    policy = ReleasePolicy(rules(access))
    locked = access.change_device(credential, "locked")
    assert "locked" in refused(access, locked, policy)
    assert "put back" in refused(access, credential, policy)
    for row in (locked, credential):
        with pytest.raises(PermissionDeniedError):  # and proves nothing meanwhile
            access.raise_level(row, 3)
    with pytest.raises(ConflictError):
        access.change_device(locked, "locked")
    unlocked = access.change_device(locked, "active")
    check(access, unlocked, policy)
    refused(access, locked, policy)
    removed = access.change_device(locked, "removed")  # works with an old row, too, and is final
    for state in ("active", "locked", "removed"):
        with pytest.raises(ConflictError):
            access.change_device(removed, state)
    with pytest.raises(ConflictError):
        access.change_device(unlocked, "locked")
    refused(access, unlocked, policy)
    with pytest.raises(ConflictError):
        access.change_device(credential, "gone")


def test_a_level_is_not_raised_on_an_old_or_changed_row(access, credential):
    raised = access.raise_level(credential, 2)
    assert raised.version == 2
    assert access.raise_level(raised, 1) == raised
    assert access.raise_level(credential, 2) == raised  # the caller lost the row
    with pytest.raises(ConflictError):
        access.raise_level(credential, 3)
    for wrong in (replace(raised, level=4), replace(raised, mailbox_id="c" * 32), replace(raised, address="b@x.test")):
        with pytest.raises(PermissionDeniedError):
            access.raise_level(wrong, 3)
    for level in (0, 5):
        with pytest.raises(PermissionDeniedError):
            access.raise_level(raised, level)


def test_a_lost_row_is_given_again_and_another_change_is_refused(tmp_path):
    versions, name = Versions(tmp_path / "v"), RowName("role", ORGANIZATION, MAILBOX)
    assert versions.newest(name).version == 0
    assert versions.advance(name, 0, b"a") == 1
    assert versions.advance(name, 0, b"a") == 1  # the caller crashed before it kept the row
    with pytest.raises(ConflictError):
        versions.advance(name, 0, b"b")
    assert versions.advance(name, 1, b"b") == 2
    assert Versions(tmp_path / "v").newest(name).content == b"b"
    for other in (RowName("device", ORGANIZATION, MAILBOX), RowName("role", MAILBOX, ORGANIZATION)):
        assert versions.newest(other).version == 0
    with pytest.raises(PermissionDeniedError):
        versions.check(name, 1)
    versions.check(name, 2)
    for path in (tmp_path / "v").iterdir():
        path.write_bytes(b"damaged")
    with pytest.raises(SealedError):
        versions.check(name, 2)
