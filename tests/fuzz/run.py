"""`make fuzz SECONDS=60 TARGET=smime-message`: coverage-guided fuzzing with atheris, one target after the other.

What is learnt is kept under `.fuzz/` for the next time. A finding lies in `.fuzz/TARGET/findings`: fix it, and put the file
into `tests/fuzz/corpus/TARGET`, where every test run replays it.
"""

import argparse
import os
import shutil
import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sealwright"]), warnings.catch_warnings(action="ignore"):
    from fuzz.targets import MAX_SEED_BYTES, TARGETS, Target

WORK = Path(__file__).resolve().parents[2] / ".fuzz"
TIMEOUT_SECONDS = 20
"""For one input; honest work takes milliseconds, also under the fuzzer's instruments."""
MEMORY_MEBIBYTES = 1024


def main() -> int:
    """Fuzz the chosen targets in child processes; return how many have a finding."""
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("targets", nargs="*", help="all if none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--runs", type=int, default=-1, help="for each target; with a fixed seed, for tests")
    parser.add_argument("--work", type=Path, default=WORK)
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    broken = []
    for name in options.targets or TARGETS:
        child = os.fork()  # libFuzzer ends its process; the instrumented modules are imported only once
        if child == 0:
            _fuzz(name, TARGETS[name], options)
        if os.waitpid(child, 0)[1] != 0:
            broken.append(name)
    print(f"fuzz: {len(options.targets or TARGETS)} targets; findings in: {', '.join(broken) or 'none'}")
    return len(broken)


def _fuzz(name: str, target: Target, options: argparse.Namespace) -> None:
    learnt, findings, seeds = (options.work / name / part for part in ("learnt", "findings", "seeds"))
    shutil.rmtree(seeds, ignore_errors=True)
    for folder in (learnt, findings, seeds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(target.corpus(name)):
        shutil.copy(path, seeds / f"{number:03}-{path.name}")
    limits = [f"-timeout={TIMEOUT_SECONDS}", f"-rss_limit_mb={MEMORY_MEBIBYTES}", f"-max_len={MAX_SEED_BYTES}"]
    effort = [f"-max_total_time={options.seconds}", f"-runs={options.runs}", "-seed=1"]
    quiet = ["-verbosity=0", "-print_final_stats=0"] if options.runs >= 0 else []
    arguments = [*limits, *effort, *quiet, f"-artifact_prefix={findings}/", str(learnt), str(seeds)]
    warnings.simplefilter("ignore")
    print(f"fuzz: {name}", flush=True)
    atheris.Setup([f"fuzz-{name}", *arguments], target.accept)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
