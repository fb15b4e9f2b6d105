"""kill -9 before every durable write of every flow: the next start holds, and whoever repeats what was not answered ends it.

`make test` tries some writes of the flows that make and give out keys; the rounds of `make proof` share all writes of all flows.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.killed.flows import FLOWS
from support.proof import PROOF_ROUNDS

TESTS = Path(__file__).parents[1]
QUICK = {
    "init": 23,
    "provision": 9,
    "set-up": 17,
    "rotate": 9,
    "key-states": 29,
    "storage-key": 7,
    "rekey": 4,
    "recovery": 23,
}
"""Flow -> every how many writes it is killed in `make test`."""


@pytest.mark.proof
@pytest.mark.parametrize("flow", FLOWS if PROOF_ROUNDS > 1 else QUICK)
def test_nothing_is_lost_and_nothing_is_there_twice(flow, proof_round):
    step = PROOF_ROUNDS if PROOF_ROUNDS > 1 else QUICK[flow]
    command = [sys.executable, "-m", "support.killed.exploring", flow, str(1 + proof_round % step), str(step)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.endswith("0 not mended\n")


def test_every_flow_of_make_test_is_one():
    assert set(QUICK) <= set(FLOWS)
