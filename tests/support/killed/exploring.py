"""Kill a flow at its n-th write, for every n, and look each time whether the next start and a repetition mend it.

`python -m support.killed.exploring FLOW FIRST STEP` prints a line for each way of dying that is not mended, and how many it
tried. Each run is a fork, because the runner holds no server: everything was closed before it forks.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from support.killed.flows import FLOWS
from support.killed.intact import check_intact, shape
from support.killed.points import Points
from support.killed.world import World


class Exploration:
    """One flow.

    Args:
        flow: From `FLOWS`.
        folder: Empty; forks work in `folder/server`, always the same path, because a data folder's settings name it.
    """

    def __init__(self, flow, folder):
        self._flow, self._server, self._template = flow, folder / "server", folder / "template"
        self._result = folder / "result.json"
        self._server.mkdir()
        self._in_fork(self._prepare)
        self._server.rename(self._template)
        self.steps = self._run(0)
        self._expected = self._after()

    def attempt(self, number):
        """Die before write `number`; return what does not hold then, or an empty text."""
        if self._run(number) is not None:
            return ""  # it had fewer writes this time: chance has its part in how pages and chains fall
        try:
            found = self._after()
        except RuntimeError as error:
            return str(error)
        compared = {*found, *self._expected} - self._flow.varies
        differing = [
            f"{name}: {found.get(name, 0)}, not {self._expected.get(name, 0)}"
            for name in sorted(compared)
            if found.get(name, 0) != self._expected.get(name, 0)
        ]
        return "; ".join(differing)

    def _run(self, number):
        shutil.rmtree(self._server, ignore_errors=True)
        shutil.copytree(self._template, self._server)
        return self._in_fork(lambda: self._act(number))

    def _after(self):
        return self._in_fork(self._repeat)

    def _prepare(self):
        world = World(self._server)
        if self._flow.has_server:
            world.make_server()
            self._flow.prepare(world)
            world.settle()
            world.services.close()

    def _act(self, number):
        world = World(self._server)
        points = Points(self._server, number)
        if world.is_made:
            world.count_outbox(points)
        self._flow.act(world)
        return points.names

    def _repeat(self):
        world = World(self._server, is_again=True)
        # 1 What was done before holds at the start, before anybody repeats anything.
        if world.is_made:
            world.start()
            world.settle()
            check_intact(world)
        # 2 Whoever had no answer asks again.
        self._flow.act(world)
        world.settle()
        check_intact(world)
        return shape(world)

    def _in_fork(self, work):
        """Return what the work returns, None if it was killed."""
        self._result.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                self._result.write_text(json.dumps(work()))
                status = 0
            except BaseException:  # noqa: BLE001 - of a fork: its parent tells
                self._result.write_text(json.dumps(traceback.format_exc()))
            finally:
                sys.stdout.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return None
        if status:
            raise RuntimeError(json.loads(self._result.read_text()))
        return json.loads(self._result.read_text())


def main(name, first, step):
    """Explore; return the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="killed-"))
    try:
        exploration = Exploration(FLOWS[name], folder)
        tried = range(int(first), len(exploration.steps) + 1, int(step))
        failures = 0
        for number in tried:
            problem = exploration.attempt(number)
            if problem:
                failures += 1
                print(f"killed before write {number} ({exploration.steps[number - 1]}): {problem}")
        print(f"{name}: {len(exploration.steps)} writes, {len(tried)} tried, {failures} not mended")
        return 1 if failures or not exploration.steps else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
