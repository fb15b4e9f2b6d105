"""A server whose seal people open: sealed at the start, opened from two terminals, closed at once, moved to an HSM and back."""

import json
import re
import ssl
import time
import urllib.error
import urllib.request

import pytest
from support.organization import ALICE, BOB, Organization
from support.soft_hsm import make_token

from demo.programs import ProgramError

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder, init=("--seal", "key-file")) as made:
        yield made


def status(organization):
    return json.loads(organization.server.operate("seal", "status", "--json").output)


def share_file(organization, text, number):
    file = organization.private / f"share-{number}"
    file.write_text(text + "\n")
    return str(file)


def get(organization, path):
    """Ask the https service as anybody; return status and body."""
    settings = (organization.server.data / "sealwright.toml").read_text()
    url = re.search(r'endpoints = \["([^"]+)"', settings)[1]
    context = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(url + path, context=context) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def new_shares(organization, *arguments):
    """Begin a change and return the new shares as the command printed them."""
    printed = organization.server.operate("seal", *arguments, "--no-wait", "--json").output
    return json.loads(printed[: printed.index("}") + 1])["shares"]


def wait_until_open(organization):
    """Wait until the server works again: its services come up after the seal is open."""
    deadline = time.monotonic() + 60
    while organization.server.operate("status", may_fail=True).status != 0:
        assert time.monotonic() < deadline, organization.server.log_text()[-600:]
        time.sleep(0.2)


def keys_of(device):
    """Make a device fetch its keys again and say how many it has."""
    device.run("setup", device.address)
    return device.run("keys", "list").output


def test_people_open_the_seal_and_one_closes_it(organization):
    server = organization.server
    alice = organization.set_up(ALICE, "laptop")
    # 1 From a key file to three people, two of whom are needed; each new share is confirmed before the key file goes.
    key_file = server.data.with_name(server.data.name + ".seal-key")
    assert key_file.exists()
    shares = new_shares(organization, "migrate", "shamir", "--shares", "3", "--threshold", "2")
    assert (status(organization)["kind"], key_file.exists()) == ("key-file", True)
    for number, share in enumerate(shares):
        server.operate("seal", "confirm", "--share-file", share_file(organization, share, number))
    assert (status(organization)["kind"], key_file.exists()) == ("shamir", False)
    bob = organization.set_up(BOB, "laptop")  # it went on all the while
    # 2 A start waits for people, and says so to everybody.
    server.stop()
    server.start(sealed=True)
    assert get(organization, "/readyz") == (503, {"state": "sealed"})
    code, problem = get(organization, "/.well-known/sealwright")
    assert (code, "sealed" in problem["detail"]) == (503, True)
    with pytest.raises(ProgramError, match="sealed"):
        alice.run("devices", "list")
    with pytest.raises(ProgramError, match="sealed"):
        server.operate("people", "list")
    assert "2 operator shares open it" in server.operate("seal", "status").output
    # 3 One at the server, one from the own device.
    assert (
        "entered: 1" in server.operate("seal", "unseal", "--share-file", share_file(organization, shares[0], 0)).output
    )
    assert "sealed" in server.operate("seal", "unseal", "--share-file", share_file(organization, shares[0], 0)).output
    assert "entered: 1" in bob.run("seal", "status").output
    assert "open" in bob.run("seal", "unseal", "--share-file", share_file(organization, shares[2], 2)).output
    wait_until_open(organization)
    assert get(organization, "/readyz")[0] == 200
    before = keys_of(alice)
    # 4 Anybody who has the role closes it at once, from the own device; nobody else.
    with pytest.raises(ProgramError, match="role"):
        alice.run("seal", "seal", "--yes")
    server.operate("roles", "appoint", ALICE, "operator")
    assert "sealed" in alice.run("seal", "seal", "--yes").output
    assert get(organization, "/readyz") == (503, {"state": "sealed"})
    for number in (1, 2):
        server.operate("seal", "unseal", "--share-file", share_file(organization, shares[number], number))
    wait_until_open(organization)
    assert keys_of(alice) == before
    # 5 Every step is in the log.
    log = server.log_text()
    assert "seal.close.done" in log
    assert "Traceback" not in log


def test_the_seal_moves_into_an_hsm_and_opens_by_itself_there(tmp_path, passable_folder, monkeypatch):
    environment, hsm, pin_file = make_token(tmp_path / "hsm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    folder = passable_folder / "hsm"
    folder.mkdir()
    with Organization(folder, init=("--seal", "key-file")) as organization:
        server = organization.server
        alice = organization.set_up(ALICE, "laptop")
        before = keys_of(alice)
        settings = server.data / "sealwright.toml"
        text = settings.read_text()
        for name, value in (("module", hsm.module), ("token", hsm.token), ("pin_file", str(pin_file))):
            text = text.replace(f'pkcs11_{name} = ""', f'pkcs11_{name} = "{value}"')
        settings.write_text(text)
        server.stop()
        server.start()
        assert "kind pkcs11: open" in server.operate("seal", "migrate", "pkcs11").output
        assert not server.data.with_name(server.data.name + ".seal-key").exists()
        server.operate("seal", "rotate", "--wait")
        server.stop()
        server.start()
        assert keys_of(alice) == before
        # another key in the HSM, other emergency shares: a backup opens with these, and with the HSM
        server.operate("seal", "rekey")
        emergency = new_shares(organization, "rekey", "--emergency", "--shares", "3", "--threshold", "2")
        files = [share_file(organization, share, number) for number, share in enumerate(emergency)]
        for file in files:
            server.operate("seal", "confirm", "--share-file", file)
        backup = organization.private / "backup.tar.gz"
        server.operate("backup", str(server.data), "-o", str(backup))
        assert "opens with the HSM" in server.operate("backup-drill", str(backup)).output
        given = [argument for file in files[1:] for argument in ("--share-file", file)]
        assert "opens with the emergency shares" in server.operate("backup-drill", str(backup), *given).output
        assert "Traceback" not in server.log_text()
