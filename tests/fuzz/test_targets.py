"""Every parser takes its corpus, and what is made of it by chance and by coverage, without breaking its contract."""

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.targets import CORPUS, TARGETS

# A changed certificate may have a negative serial number, or a curve or digest that the library warns of.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
MUTATIONS = 60
"""For each target, beside the coverage-guided ones: enough to notice what is plainly wrong."""
RUNS = 1000
TESTS = Path(__file__).resolve().parents[1]


def test_every_folder_of_the_corpus_has_its_target():
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_there_and_small(name):
    files = TARGETS[name].corpus(name)
    assert files
    assert sum(path.stat().st_size for path in (CORPUS / name).glob("*")) <= 128 * 1024


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_keeps_its_contract(name):
    target, chance = TARGETS[name], random.Random(name)
    inputs = [path.read_bytes() for path in target.corpus(name)]
    for data in (b"", b"\0", b"\x30\x80", *inputs):
        target.accept(data)
    for _ in range(MUTATIONS):
        target.accept(mutated(chance.choice(inputs), chance.choice(inputs), chance))


def mutated(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change, cut, repeat or cross over a few places."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place, size = chance.randint(0, len(changed)), chance.randint(0, 16)
        kind = chance.randrange(5)
        if kind == 0 and changed:
            changed[place % len(changed)] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 1:
            del changed[place : place + size]
        elif kind == 2:
            changed[place:place] = changed[place : place + size]
        elif kind == 3:
            changed[place:place] = other[place : place + size]
        else:
            changed = changed[:place] + bytearray(other[place:])
    return bytes(changed)


def test_fuzzing_by_coverage_finds_nothing(tmp_path):
    if importlib.util.find_spec("atheris") is None:
        assert sys.version_info >= (3, 14), "atheris is in the lock file for this Python"
        return  # there is no wheel for it; the corpus is replayed all the same
    command = [sys.executable, "-m", "fuzz.run", "--runs", str(RUNS), "--work", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=TESTS, env=environment, capture_output=True, text=True, timeout=110, check=False)
    findings = list(tmp_path.glob("*/findings/*"))
    assert done.returncode == 0, f"{findings} {done.stderr[-3000:]}"
    assert f"{len(TARGETS)} targets; findings in: none" in done.stdout
