"""People who get their first keys from an empty pool, beside the bare making of as many keys on all cores."""

import os
import subprocess
import sys
import time

from bench.measure import Effort, Row, Timing, row_of
from bench.site import DOMAIN, made_organization, provide_keys

_GOAL = 1 / 1.1
"""Certificates, directory and log cost at most a tenth of the making of the keys."""
_SECONDS_EACH = 20.0
_MAKER = """
import sys
from cryptography.hazmat.primitives.asymmetric import rsa
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[1])):
    rsa.generate_private_key(65537, 3072)
"""


def measure(effort: Effort) -> list[Row]:
    """Import people and wait until everybody has a certificate; then make as many keys alone."""
    people = [f"person{number}@{DOMAIN}" for number in range(effort.people)]
    with made_organization("rsa-3072", pool_size=0) as services:
        services.start()
        try:
            started = time.perf_counter()
            provide_keys(services, people, _SECONDS_EACH * len(people))
            seconds = time.perf_counter() - started
        finally:
            services.stop()
    bare = _make_keys(effort.people)
    return [
        row_of(
            f"first keys and certificates of {effort.people:,} people, RSA-3072",
            [Timing(effort.people / seconds, (seconds,))],
            f"{effort.people:,} RSA-3072 keys alone, on all cores",
            [Timing(effort.people / bare, (bare,))],
            goal=_GOAL,
        )
    ]


def _make_keys(count: int) -> float:
    """Make keys in a process for each core, and return how many seconds that took."""
    cores = min(os.cpu_count() or 1, count)
    shares = [count // cores + (number < count % cores) for number in range(cores)]
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", _MAKER, str(share)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for share in shares
    ]
    for maker in makers:
        assert maker.stdout is not None
        maker.stdout.readline()
    started = time.perf_counter()
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.close()
    if any(maker.wait() for maker in makers):
        raise RuntimeError("a maker of keys failed")
    seconds = time.perf_counter() - started
    for maker in makers:
        assert maker.stdout is not None
        maker.stdout.close()
    return seconds
