"""How rates are measured: slices of the subject between slices of its reference, in one process and one run.

A machine that is busy with other things slows both down; what counts is their ratio. Each rate is the best of its slices.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done for one row.

    Attributes:
        slices: Of the subject and of the reference, in turn.
        slice_seconds: Each; at least one call is made.
        requests: Sent to a server for one slice.
        large_bytes: Size of a large message.
        people: Who get their first keys.
        records: That are sealed anew.
        leaves: Of a large log.
    """

    slices: int
    slice_seconds: float
    requests: int
    large_bytes: int
    people: int
    records: int
    leaves: int


FULL = Effort(
    slices=5, slice_seconds=0.5, requests=500, large_bytes=25 * MIB, people=40, records=10_000, leaves=1_000_000
)
LONG = replace(FULL, people=10_000, records=100_000, leaves=10_000_000)
"""What an organization of ten thousand people has; half an hour and more."""
SMOKE = Effort(slices=1, slice_seconds=0.0, requests=8, large_bytes=MIB, people=2, records=20, leaves=70_000)
"""Proves that a benchmark works; its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its reference.

    Attributes:
        what: What is measured.
        rate: Per second.
        p99_seconds: 99 of 100 calls are not slower.
        reference: What it is compared with, measured in the same run.
        reference_rate: Per second, in the same unit.
        goal: Least ratio that we want, if there is one.
        unit: Of both rates.
    """

    what: str
    rate: float
    p99_seconds: float
    reference: str
    reference_rate: float
    goal: float | None = None
    unit: str = "/s"

    @property
    def ratio(self) -> float:
        """How fast it is, where the reference is 1."""
        return self.rate / self.reference_rate


@dataclass(frozen=True, slots=True)
class Timing:
    """One slice."""

    rate: float
    latencies: tuple[float, ...]


def time_calls(call: Callable[[], object], seconds: float) -> Timing:
    """Call something again and again for a while."""
    latencies: list[float] = []
    started = before = time.perf_counter()
    while True:
        call()
        now = time.perf_counter()
        latencies.append(now - before)
        before = now
        if now - started >= seconds:
            return Timing(len(latencies) / (now - started), tuple(latencies))


def compare(
    what: str,
    subject: Callable[[], object],
    reference: str,
    reference_call: Callable[[], object],
    effort: Effort,
    *,
    goal: float | None = None,
    work: float = 1.0,
    unit: str = "/s",
) -> Row:
    """Measure a call against another one.

    Args:
        what: Names the subject.
        subject: What is measured.
        reference: Names the reference.
        reference_call: What it is compared with.
        effort: How long.
        goal: Least ratio that we want.
        work: How much of the unit one call does, such as MiB.
        unit: Of the rates.
    """
    subject(), reference_call()  # caches fill, modules load
    timings, references = [], []
    for _ in range(effort.slices):
        timings.append(time_calls(subject, effort.slice_seconds))
        references.append(time_calls(reference_call, effort.slice_seconds))
    return row_of(what, timings, reference, references, goal=goal, work=work, unit=unit)


def row_of(
    what: str,
    timings: Sequence[Timing],
    reference: str,
    references: Sequence[Timing],
    *,
    goal: float | None = None,
    work: float = 1.0,
    unit: str = "/s",
) -> Row:
    """Make a row of slices: rates are the best ones, the p99 is over all calls."""
    rate, reference_rate = (max(timing.rate for timing in group) * work for group in (timings, references))
    latencies = [latency for timing in timings for latency in timing.latencies]
    return Row(what, rate, p99(latencies), reference, reference_rate, goal, unit)


def p99(latencies: Sequence[float]) -> float:
    """Return the latency that 99 of 100 do not exceed; the slowest of fewer than 100."""
    ordered = sorted(latencies)
    return ordered[math.ceil(len(ordered) * 0.99) - 1]
