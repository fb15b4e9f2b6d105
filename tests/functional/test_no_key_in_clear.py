"""After a real run no private key lies in clear anywhere: not in the database, a log, a backup, a mail or a device's files."""

import base64
import gzip
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key
from sqlalchemy import select
from support.mail_system import why_not
from support.seals import root_key_of

from demo.programs import Device
from demo.run import ALICE, BOB, Story
from sealwright.audit import store as audit_store
from sealwright.audit.tables import log_state
from sealwright.ca.store import CaStore
from sealwright.ca.tables import ca_certificate
from sealwright.client.store import ClientStore
from sealwright.client.store_key import KeyChoice
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.seal import Seal
from sealwright.keystore.software import SoftwareKeystore
from sealwright.kms.store import KeyStore
from sealwright.kms.tables import mailbox_key
from sealwright.server import store
from sealwright.server.settings import load_settings
from sealwright.server.tables import service_key
from sealwright.storage.engine import open_storage

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def told(passable_folder: Path) -> Iterator[tuple[Story, list[Device]]]:
    """Two people with three devices, mail, a rotation and a removed device; everything still runs."""
    with ExitStack() as running:
        story = Story(passable_folder)
        story.machine_room(running)
        alice, bob = story.first_mail()
        story.more_devices(bob)
        story.held(alice)
        telephone, tablet = (story.device(BOB, name) for name in ("telephone", "tablet"))
        story.server.operate("backup", str(story.server.data), "-o", str(story.private / "backup.tar.gz"))
        yield story, [alice, bob, telephone, tablet]


def test_no_private_key_lies_in_clear(told: tuple[Story, list[Device]]) -> None:
    story, devices = told
    of_server = server_secrets(story)
    of_devices = {name: secret for device in devices for name, secret in device_secrets(device).items()}
    assert len(of_server) > 15
    assert len(of_devices) > 15
    root_key = story.private / "server.seal-key"
    files = [path for path in story.folder.rglob("*") if path.is_file() and path != root_key]
    searched = {path.name for path in files}
    assert {"sealwright.db", "server.log", "store.sealed", "seal.json", "backup.tar.gz"} <= searched
    found = search(files, of_server | of_devices)
    assert found == []
    # What is searched for is found where it does lie.
    planted = story.private / "planted"
    for form in forms(next(iter(of_server.values()))):
        planted.write_bytes(b"ab" + form + b"cd")
        assert search([planted], of_server) != []
    planted.unlink()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="the system does not show memory as a file")
def test_the_web_process_holds_no_private_key_in_its_memory(told: tuple[Story, list[Device]]) -> None:
    story, _ = told
    processes = story.server.process_ids()
    wanted = {
        form: name
        for name, secret in server_secrets(story).items()
        for form in (secret, secret[::-1], *(base64.b64encode(secret[offset:])[:40] for offset in range(3)))
    }
    web = [pid for pid in processes if b"keystore.seal_process" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
    keystores = [pid for pid in processes if pid not in web]
    assert web
    assert keystores
    assert {name for pid in web for name in held(pid, wanted)} == set()
    # What is searched for is found where it does lie.
    assert any("storage secret" in name for pid in keystores for name in held(pid, wanted))


def test_a_removed_device_signs_no_more(told: tuple[Story, list[Device]]) -> None:
    story, (alice, bob, telephone, _) = told
    sent = telephone.run("send", given=f"From: {BOB}\nTo: {ALICE}\nSubject: from the telephone\n\nHello\n")
    assert sent.status == 0
    deadline = time.monotonic() + 20
    while "from the telephone" not in (shown := alice.run("read", "1", may_fail=True).output):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert "revoked" not in shown
    bob.run("devices", "remove", "telephone")
    while "revoked" not in (shown := alice.run("read", "1").output):
        assert time.monotonic() < deadline, shown
        time.sleep(0.3)
    settings = load_settings(story.server.data, {})
    storage = open_storage(settings.database_url)
    with storage.read(None) as tx:
        revoked = tx.fetch_all(select(ca_certificate.c.device_id).where(ca_certificate.c.state == "REVOKED"))
    storage.close()
    assert len(revoked) == 1
    assert alice.run("send", given=f"From: {ALICE}\nTo: {BOB}\nSubject: hello\n\nHello\n").status == 0


def server_secrets(story: Story) -> dict[str, bytes]:
    """Open every sealed private key of the server and return what is secret in each, and the storage secrets."""
    settings = load_settings(story.server.data, {})
    organization_id = settings.organization.organization_id
    root_key = root_key_of(settings)
    keystore = SoftwareKeystore(Seal(root_key, settings.seal_file))
    storage, kms, authority = open_storage(settings.database_url), KeyStore(), CaStore()
    records: list[SealedRecord] = []
    with storage.read(None) as tx:
        purposes = [row.purpose for row in tx.fetch_all(select(service_key.c.purpose))]
        records += [store.load_service_key(tx, organization_id, purpose) for purpose in purposes]
        for row in tx.fetch_all(select(mailbox_key.c.mailbox_id).distinct()):
            records += [key.record for key in kms.keys(tx, organization_id, row.mailbox_id)]
        records += [
            authority.issuer(tx, organization_id, name).key for name in ("root", "signing", "encryption", "tls")
        ]
        records += [audit_store.log_key_of(row) for row in tx.fetch_all(select(log_state))]
        pooled = kms.oldest_pooled(tx, organization_id, settings.keys.algorithm)
        records += [pooled] if pooled else []
    storage.close()
    found = {"root wrapping key": root_key}
    for record in records:
        name = f"{record.identity.kind} {record.identity.owner} {record.identity.generation}"
        found |= parts(name, keystore._open(record))
    seal: Any = keystore._keys
    return found | {f"storage secret {version}": secret for version, secret in seal._fresh().items()}


def device_secrets(device: Device) -> dict[str, bytes]:
    """Open a device's store and return what is secret in it."""
    with ClientStore.open(device.home, device.address, KeyChoice(key_file=device.home / "store.key")) as opened:
        state = opened.state
    assert state.device_keys is not None
    assert state.signing_key is not None
    name = f"{device.address} {device.name}"
    found = {f"{name} hpke": state.device_keys.hpke_private_key}
    found |= parts(f"{name} authentication", state.device_keys.authentication_key_pkcs8)
    found |= parts(f"{name} signing", state.signing_key.private_key_pkcs8)
    for key in state.mailbox_keys:
        found |= parts(f"{name} generation {key.generation}", key.private_key_pkcs8)
    return found


def parts(name: str, pkcs8: bytes) -> dict[str, bytes]:
    """Return the numbers of a private key that make it private, big-endian."""
    key = load_der_private_key(pkcs8, None)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {name: key.private_bytes_raw()}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {name: key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")}
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    values = {"d": numbers.d, "p": numbers.p, "q": numbers.q}
    return {
        f"{name} {letter}": value.to_bytes((value.bit_length() + 7) // 8, "big") for letter, value in values.items()
    }


def forms(secret: bytes) -> set[bytes]:
    """Return how a secret may be written: octets, both orders, hex, base64 of either alphabet at any offset, a decimal."""
    shapes = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode()}
    shapes |= {str(int.from_bytes(secret, "big")).encode(), secret[:32], secret[-32:]}  # a page may end within
    for offset in range(3):
        whole = secret[offset : offset + (len(secret) - offset) // 3 * 3][:30]
        shapes |= {base64.b64encode(whole), base64.urlsafe_b64encode(whole)}
    return shapes


def held(pid: int, wanted: dict[bytes, str]) -> set[str]:
    """Return which secrets lie in a process's memory."""
    found: set[str] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, permissions, *rest = line.split()
            if "w" not in permissions or rest[-1:] == ["[vvar]"]:
                continue
            start, end = (int(number, 16) for number in place.split("-"))
            memory.seek(start)
            try:
                content = memory.read(end - start)
            except OSError:
                continue  # gone meanwhile
            found |= {name for form, name in wanted.items() if form in content}
    return found


def search(files: list[Path], secrets: dict[str, bytes]) -> list[str]:
    """Return where which secret lies; line ends do not hide one."""
    wanted = {form: name for name, secret in secrets.items() for form in forms(secret)}
    found = []
    for path in files:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        joined = content.replace(b"\r\n", b"").replace(b"\n", b"")
        found += [f"{name} in {path}" for form, name in wanted.items() if form in content or form in joined]
    return found
