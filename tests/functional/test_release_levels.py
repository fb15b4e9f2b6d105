"""Release levels on a real server: devices step up, new ones need the factor, a locked one loses its keys.

The policy of one organization only ever gets stronger, so its steps stand in the order of the levels.
"""

import subprocess
import threading
import time

import pytest
from support.mail_system import why_not
from support.organization import ALICE, BOB, Organization, is_one_line, start

from sealwright.client.store import ClientStore
from sealwright.client.store_key import KeyChoice

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
INPUT, NOT_AUTHENTICATED, PERMISSION, UNAVAILABLE = 2, 6, 7, 9


@pytest.fixture
def organization(passable_folder):
    with Organization(passable_folder) as made:
        yield made


def secret_file(organization, address):
    """Return a file with a fresh enrolment secret, out of the administrator's letter."""
    letter = organization.private / f"letter-{time.monotonic_ns()}.txt"
    organization.server.operate("people", "enrolment-secret", address, "-o", str(letter))
    line = next(line for line in letter.read_text().splitlines() if line.startswith("Enrolment secret"))
    return written(organization, line.partition(":")[2].strip())


def written(organization, text):
    file = organization.private / f"secret-{time.monotonic_ns()}"
    file.write_text(text + "\n")
    return str(file)


def store(device, monkeypatch):
    monkeypatch.setenv("SEALWRIGHT_KEY_FILE", str(device.home / "store.key"))
    return ClientStore.open(device.home, device.address, KeyChoice())


def level_2_the_password_of_the_first_device_lets_the_second_in(organization):
    old = organization.set_up(ALICE, "laptop")  # at level 1
    organization.server.operate("policy", "level", "2")
    assert "level 2" in organization.server.operate("policy", "show").output
    # 1 The mailbox alone gets nobody in any more, neither the first device of somebody ...
    password, wrong = written(organization, "correct horse battery"), written(organization, "wrong horse battery")
    bob = organization.device(BOB, "laptop")
    mailbox_only = bob.run(*organization.setup_arguments(bob), "--protection-password-file", password, may_fail=True)
    assert mailbox_only.status == PERMISSION
    assert "enrolment-secret" in mailbox_only.errors
    # 2 ... nor one that was there: it steps up, with the administrator's letter.
    letter = secret_file(organization, ALICE)
    old.run("setup", ALICE, "--protection-password-file", password, "--enrolment-secret-file", letter)
    # 3 A new device needs the password.
    second = organization.device(ALICE, "phone")
    arguments = organization.setup_arguments(second)
    refused = second.run(*arguments, "--protection-password-file", wrong, may_fail=True)
    is_one_line(refused, NOT_AUTHENTICATED, "protection password")
    second.run(*arguments, "--protection-password-file", password)
    assert second.run("devices", "list").output.count("level 2") == 2
    # 4 It is changed with the old one, and a used letter is of no use.
    new = written(organization, "another good password")
    second.run("protection-password", "--old-file", password, "--new-file", new)
    again = old.run("protection-password", "--enrolment-secret-file", letter, "--new-file", password, may_fail=True)
    is_one_line(again, NOT_AUTHENTICATED, "enrolment secret")
    organization.old, organization.second = old, second


def a_weaker_policy_is_refused(organization):
    weaker = organization.server.operate("policy", "level", "1", may_fail=True)
    assert weaker.status == PERMISSION
    assert "two security officers" in weaker.errors


def level_3_a_device_that_was_let_in_lets_the_next_one_in(organization):
    organization.server.operate("policy", "level", "3")
    # 1 The first device steps up with a letter; there is nobody to approve it.
    old = organization.old
    nobody = old.run("setup", ALICE, may_fail=True)
    assert "enrolment secret" in nobody.errors
    old.run("setup", ALICE, "--enrolment-secret-file", secret_file(organization, ALICE))
    # 2 A new device waits, until it is approved by its fingerprint; a device that watches is told while it waits.
    watching = start(old, "devices", "watch")
    given_up = threading.Timer(90, watching.kill)
    given_up.start()
    tablet = organization.device(ALICE, "tablet")
    waiting = start(tablet, *organization.setup_arguments(tablet), "--approval-wait", "60")
    said = threading.Event()
    shown = []

    def read():
        for line in waiting.stderr:
            if "devices approve" in line:
                shown.append(line.split()[-1])
                said.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert said.wait(30)
    assert "tablet" in old.run("devices", "approve").output
    assert any("asks to read your mail: tablet" in line for line in watching.stdout)
    given_up.cancel()
    watching.kill()
    watching.communicate()
    wrong = old.run("devices", "approve", "0" * 16, may_fail=True)
    assert "no device with this fingerprint" in wrong.errors
    old.run("devices", "approve", shown[0])
    try:
        waiting.wait(40)
    except subprocess.TimeoutExpired:
        waiting.kill()
        raise
    finally:
        reader.join()
        waiting.stdout.close()
        waiting.stderr.close()
    assert waiting.returncode == 0
    tablet.run("devices", "list")
    # 3 One that nobody approves gets nothing, and goes on later.
    lonely = organization.device(ALICE, "lonely")
    late = lonely.run(*organization.setup_arguments(lonely), "--approval-wait", "0", may_fail=True)
    is_one_line(late, UNAVAILABLE, "nobody has approved")


def a_locked_devices_next_sync_removes_its_keys(organization, monkeypatch):
    old, second = organization.old, organization.second
    with store(second, monkeypatch) as opened:
        keys = [key.private_key_pkcs8 for key in opened.state.mailbox_keys]
    assert keys
    old.run("devices", "lock", "phone")
    refused = second.run("devices", "list", may_fail=True)
    is_one_line(refused, PERMISSION, "locked")
    with store(second, monkeypatch) as opened:
        assert opened.state.mailbox_keys == ()
        assert opened.state.signing_key is None
    assert second.run("setup", ALICE, may_fail=True).status == PERMISSION
    # the operator unlocks it; it needs its level, and has its keys again
    organization.server.operate(
        "devices", "unlock", "phone", "--data", str(organization.server.data), "--address", ALICE
    )
    second.run("setup", ALICE, "--enrolment-secret-file", secret_file(organization, ALICE))
    with store(second, monkeypatch) as opened:
        assert [key.private_key_pkcs8 for key in opened.state.mailbox_keys] == keys
    organization.server.operate("devices", "lock", "phone", "--data", str(organization.server.data), "--address", ALICE)
    assert "was locked" in second.run("read", may_fail=True).errors
    with store(second, monkeypatch) as opened:
        assert opened.state.mailbox_keys == ()


@pytest.mark.timeout(300)
def test_the_levels_one_after_the_other(organization, monkeypatch):
    """One test: each level needs the one before, and test runners share tests out."""
    level_2_the_password_of_the_first_device_lets_the_second_in(organization)
    a_weaker_policy_is_refused(organization)
    level_3_a_device_that_was_let_in_lets_the_next_one_in(organization)
    a_locked_devices_next_sync_removes_its_keys(organization, monkeypatch)
