"""Work that comes round: one thread per job, so that a slow one holds up no other."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sealwright.errors import SealwrightError
from sealwright.server.metrics import JOBS

LOG = structlog.get_logger("sealwright.jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again.

    Attributes:
        name: `subject.action`.
        every_seconds: Pause between two runs.
        run: Idempotent; raises a `SealwrightError` when it has to be tried again.
    """

    name: str
    every_seconds: float
    run: Callable[[], object]


class JobRunner:
    """Runs jobs until it is stopped."""

    def __init__(self, jobs: tuple[Job, ...]) -> None:
        self._jobs = jobs
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start all jobs; each runs at once and then every so often."""
        self._stop.clear()
        for job in self._jobs:
            thread = threading.Thread(target=self._repeat, args=(job,), name=f"job-{job.name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Let running jobs finish, for at most `timeout_seconds` each."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout_seconds)
        self._threads.clear()

    def _repeat(self, job: Job) -> None:
        while True:
            self.run_once(job)
            if self._stop.wait(job.every_seconds):
                return

    def run_once(self, job: Job) -> bool:
        """Run a job; a failure is told and not raised, the next round tries again."""
        try:
            job.run()
        except SealwrightError as error:
            JOBS.labels(job.name, "failed").inc()
            LOG.warning("job.run.failed", job=job.name, reason=error.message)
            return False
        except Exception:
            JOBS.labels(job.name, "crashed").inc()
            LOG.exception("job.run.crashed", job=job.name)
            return False
        JOBS.labels(job.name, "done").inc()
        return True
