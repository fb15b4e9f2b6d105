"""The log from outside: an auditor copies and checks all of it, and a witness in a process of its own watches it."""

import base64
import json
import ssl
import subprocess
import time

import pytest
from support.mail_system import why_not
from support.organization import ALICE, Organization

from demo.programs import PROGRAM, free_port

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder, (ALICE,)) as made:
        yield made


@pytest.fixture
def witness(organization):
    """Run a witness of the organization's log; return its URL and its verifier key."""
    key, listen = organization.server.operate("log", "key", "--data", str(organization.server.data)).output, free_port()
    process = subprocess.Popen(
        [str(PROGRAM), "log", "witness", str(organization.private / "witness"), "--name", "w.example.org",
         "--log", key.strip(), "--listen", f"127.0.0.1:{listen}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield f"http://127.0.0.1:{listen}", process.stdout.readline().strip()
    process.terminate()
    process.wait(20)
    process.stdout.close()


def answer(done):
    return json.loads(done.output)


def test_a_witness_confirms_the_log_and_an_auditor_checks_all_of_it(organization, witness):
    server, folder = organization.server, organization.private
    # 1 The witness stands in the settings, so in the statement; the device asks for its word.
    settings = server.data / "sealwright.toml"
    url, key = witness
    written = settings.read_text().replace(
        "[witnesses]\nkeys = []\nurls = []", f'[witnesses]\nkeys = ["{key}"]\nurls = ["{url}"]'
    )
    assert key in written
    server.stop()
    settings.write_text(written)
    server.start()
    auditor = organization.set_up(ALICE, "laptop")
    deadline = time.monotonic() + 150
    while (own := auditor.run("log", "verify", "--json", may_fail=True)).status and time.monotonic() < deadline:
        time.sleep(1)
    assert answer(own)["witnesses"] == 1
    # 2 The auditor copies the log and what its leaves say, and checks every hash, record and chain of it.
    server.operate("roles", "appoint", ALICE, "auditor", "--reason", "yearly audit")
    log, leaves, newest = (str(folder / name) for name in ("log", "leaves.jsonl", "newest"))
    copied = answer(auditor.run("log", "export", "-o", log, "--leaves", leaves, "--json"))
    own_copy = ("log", "verify", log, "--leaves", leaves, "--checkpoint", newest, "--json")
    found = answer(auditor.run(*own_copy))
    assert found["opened"] == found["log_size"] == copied["log_size"]
    assert (found["continues"], found["kinds"]["role.change"], found["set_back"]) == (False, 1, [])
    # 3 So does a stranger, over https, with the key and the checkpoint that was kept.
    public = server.operate("log", "key", "--data", str(server.data)).output.strip()
    endpoint = next(line for line in written.splitlines() if line.startswith("endpoints")).split('"')[1]
    anchor = folder / "anchor.pem"
    (der,) = json.loads(organization.invitation.read_text())["tls_anchors"]
    anchor.write_text(ssl.DER_cert_to_PEM_cert(base64.b64decode(der)))
    organization_id = next(line for line in written.splitlines() if line.startswith("organization_id")).split('"')[1]
    url = f"{endpoint}/log/{organization_id}"
    public_check = ("log", "verify", url, "--key", public, "--tls-anchor", str(anchor), "--checkpoint", newest)
    assert "continues the checkpoint" in auditor.run(*public_check).output
    # 4 A copy that was changed is found, and the kept checkpoint stays.
    tile = folder / "log" / "tile" / "0" / f"000.p/{copied['log_size']}"
    tile.write_bytes(bytes(len(tile.read_bytes())))
    kept = (folder / "newest").read_bytes()
    changed = auditor.run(*own_copy, may_fail=True)
    assert changed.status != 0
    assert "does not hold the hashes" in changed.errors
    assert (folder / "newest").read_bytes() == kept
