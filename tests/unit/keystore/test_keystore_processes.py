"""The real processes: same answers and errors as in one process, hardened, replaced when they die, gone when closed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from support.release_evidence import NOW, ORGANIZATION, World, answer_for, binding, make_device
from support.seals import key_file_seal, seal_options, software_keystore

from sealwright.errors import (
    AuthenticationError,
    InputError,
    PermissionDeniedError,
    SealedError,
    UnsupportedAlgorithmError,
)
from sealwright.keystore.frames import METHODS, decode_reply, encode_call
from sealwright.keystore.pool import open_keystore
from sealwright.keystore.process import answer
from sealwright.keystore.release_rules import ReleaseRules

CORES = os.cpu_count() or 1


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seal")
    key_file_seal(folder / "seal.key", folder / "seal.json", shares=1, threshold=1)
    return folder / "seal.key", folder / "seal.json"


@pytest.fixture(scope="module")
def keystore(files):
    keystore = open_keystore(seal_options(*files), workers=2)
    yield keystore
    keystore.close()


def test_a_release_through_the_processes(files, keystore):
    world = World(keystore, software_keystore(*files))
    for _ in range(4):  # every process knows the registry, whichever wrote it
        evidence = world.evidence()
        release = keystore.open(world.records, evidence)
        evidence.manifest.verify(release.signature, load_der_public_key(world.release_key.spki).public_bytes_raw())
    with pytest.raises(PermissionDeniedError):
        keystore.open(world.records[:1], evidence)


def test_errors_come_back_as_themselves(keystore):
    device = make_device()
    begun = keystore.begin_proof(binding(device))
    with pytest.raises(AuthenticationError):
        keystore.finish_proof(begun.sealed_proof, bytes(32), "d" * 32, NOW)
    assert keystore.finish_proof(begun.sealed_proof, answer_for(device, begun), "d" * 32, NOW).version == 1
    with pytest.raises(UnsupportedAlgorithmError):
        keystore.generate_service_key(ORGANIZATION, "x", "dsa")
    with pytest.raises(InputError):
        keystore.vouch_release_rules(ORGANIZATION, ORGANIZATION, ReleaseRules(), "one")
    with pytest.raises(InputError, match="too large"):
        keystore.seal_secret(ORGANIZATION, "p", "d" * 32, bytes(33 << 20))
    assert keystore.derive_secret(ORGANIZATION, "a") != keystore.derive_secret(ORGANIZATION, "b")


def test_many_threads_share_the_processes(keystore):
    def round_trip(number):
        secret = str(number).encode()
        return keystore.open_secret(keystore.seal_secret(ORGANIZATION, "p", "d" * 32, secret)) == secret

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(round_trip, range(200)))


def test_the_processes_are_hardened(keystore):
    processes = keystore.process_ids()
    assert len(processes) == 2 + CORES
    for process in processes:
        limits = Path(f"/proc/{process}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        status = Path(f"/proc/{process}/status").read_text()
        ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)
        assert ignored & 1 << (signal.SIGINT - 1)
    priorities = sorted(os.getpriority(os.PRIO_PROCESS, process) for process in processes)
    assert priorities[-CORES:] == [19] * CORES


def test_hardening_makes_a_process_undumpable():
    ask = "import ctypes; from sealwright.keystore.process import harden; g = ctypes.CDLL(None).prctl; a = g(3, 0, 0, 0, 0)"
    done = subprocess.run(
        [sys.executable, "-c", f"{ask}; harden(); print(a, g(3, 0, 0, 0, 0))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1", "0"]


def test_a_dead_process_is_replaced(keystore):
    before = keystore.process_ids()
    for process in before:
        os.kill(process, signal.SIGKILL)
    time.sleep(0.2)
    outcomes = []
    for _ in range(6):
        try:
            outcomes.append(len(keystore.derive_secret(ORGANIZATION, "p")))
        except SealedError:
            outcomes.append(0)
    assert outcomes[-2:] == [32, 32]
    for _ in range(CORES):
        assert keystore.generate_encryption_key(ORGANIZATION, "p256").spki
    assert not set(before) & set(keystore.process_ids())


def test_closed_is_closed_and_the_processes_end(files):
    keystore = open_keystore(seal_options(*files), workers=1)
    processes = keystore.process_ids()
    keystore.close()
    assert not [process for process in processes if Path(f"/proc/{process}").exists()]
    with pytest.raises(SealedError):
        keystore.derive_secret(ORGANIZATION, "p")
    keystore.close()


def test_a_seal_that_does_not_open_is_told_at_once(files, tmp_path):
    key_file_seal(tmp_path / "other.key", tmp_path / "other.json", shares=1, threshold=1)
    with pytest.raises(SealedError, match="root wrapping key"):
        open_keystore(seal_options(tmp_path / "other.key", files[1]))
    with pytest.raises(InputError):
        open_keystore(seal_options(*files), workers=0)


def test_a_process_answers_nonsense_with_an_error(files):
    keystore = software_keystore(*files)
    for frame in (b"", b"\xc1", encode_call("close", ()), encode_call("__init__", ()), encode_call("sign", (1,))):
        with pytest.raises(InputError):
            decode_reply(answer(frame, keystore), bytes)
    with pytest.raises(msgspec.MsgspecError):
        decode_reply(b"", bytes)


def test_every_method_of_the_protocol_is_served():
    from sealwright.keystore.protocol import Keystore

    public = {name for name in dir(Keystore) if not name.startswith("_")}
    assert set(METHODS) == public - {"close"}
