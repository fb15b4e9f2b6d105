"""Run the tests on the Pythons that other Debian releases bring, each in a chroot made by debootstrap.

    python3 packaging/test_pythons.py [--python 3.13] [--whole] [--fresh] [pytest arguments ...]

Needs root, debootstrap, and the Debian mirror and package index that this machine uses. Chroots are kept and used again
(SEALWRIGHT_CHROOTS, /var/cache/sealwright/chroots otherwise). Tests of parts that are not in the chroot are skipped and
counted; `--whole` installs those parts, too, and runs `make test` as CI does.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUITES = {"3.13": "trixie", "3.14": "forky"}
"""Python -> the Debian release that has it as its python3."""
MIRROR = os.environ.get("SEALWRIGHT_DEBIAN_MIRROR", "http://deb.debian.org/debian")
CHROOTS = Path(os.environ.get("SEALWRIGHT_CHROOTS", "/var/cache/sealwright/chroots"))
PACKAGES = "python3,python3-venv,make,git,ca-certificates,openssl,procps"
TAKEN_ALONG = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
"""How this machine reaches mirror and index, certificates of its own among it."""
PASSED_ON = ("PIP_INDEX_URL", "PIP_CERT", "PIP_DEFAULT_TIMEOUT", "http_proxy", "https_proxy", "no_proxy")
SCRIPTS = Path("/usr/share/debootstrap/scripts")
REPOSITORY = Path(__file__).resolve().parent.parent
_ENTER = """
mount --rbind /dev {root}/dev && mount -t proc proc {root}/proc && mount -t tmpfs tmpfs {root}/dev/shm
exec chroot {root} "$@"
"""


class PythonMissingError(Exception):
    """A Python cannot be had; the message says why and what is needed."""


def main(arguments: list[str]) -> int:
    """Run the tests on each Python; the worst exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", choices=sorted(SUITES), help="only this one; repeatable")
    parser.add_argument("--whole", action="store_true", help="install every part that tests drive, and run `make test`")
    parser.add_argument("--fresh", action="store_true", help="make the chroots anew")
    asked, rest = parser.parse_known_args(arguments)
    outcomes = {}
    for python in asked.python or sorted(SUITES):
        try:
            root = prepare(python, fresh=asked.fresh)
            outcomes[python] = run_tests(root, whole=asked.whole, arguments=rest)
        except PythonMissingError as error:
            print(f"Python {python}: {error}", file=sys.stderr)
            outcomes[python] = 3
    for python, status in outcomes.items():
        print(f"Python {python} ({SUITES[python]}): {'passed' if status == 0 else f'FAILED with {status}'}")
    return max(outcomes.values())


def prepare(python: str, *, fresh: bool) -> Path:
    """Return the folder of a chroot that has a Python; it is made if it is not there."""
    if os.geteuid() != 0:
        raise PythonMissingError("a chroot can be made by root only: run this as root")
    if shutil.which("debootstrap") is None:
        raise PythonMissingError("debootstrap is not installed: apt-get install debootstrap")
    suite = SUITES[python]
    root = CHROOTS / suite
    if fresh:
        shutil.rmtree(root, ignore_errors=True)
    if not (root / ".made").exists():
        shutil.rmtree(root, ignore_errors=True)
        _debootstrap(suite, root)
    found = subprocess.run(["chroot", root, "python3", "--version"], capture_output=True, text=True, check=False)
    if not found.stdout.startswith(f"Python {python}."):
        said = found.stdout.strip() or found.stderr.strip() or "no Python at all"
        raise PythonMissingError(f"{suite} has {said}; another release has to stand in SUITES, or run with --fresh")
    print(f"== {found.stdout.strip()} of Debian {suite} in {root}", flush=True)
    return root


def run_tests(root: Path, *, whole: bool, arguments: list[str]) -> int:
    """Copy the checkout into a chroot and run its tests there; return their exit code."""
    place = root / "sealwright"
    kept = place / ".venv"
    _copy_checkout(place)
    for file in TAKEN_ALONG:
        if Path(file).is_file():
            (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, root / file[1:])
    commands = ["cd /sealwright", "make install"]
    commands += ["make test"] if whole else [f".venv/bin/pytest -n 2 {' '.join(arguments) or 'tests'}"]
    print(f"== {'; '.join(commands[1:])} ({'the .venv is there' if kept.exists() else 'with a new .venv'})", flush=True)
    inside = ["bash", "-c", " && ".join(commands)]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }
    # a mount namespace of its own: what is mounted in it is gone when the tests have ended
    script = _ENTER.format(root=root)
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-ec", script, "bash", *inside]
    return subprocess.run(command, env=environment, check=False).returncode


def _debootstrap(suite: str, root: Path) -> None:
    # a release that is newer than this machine's debootstrap is made like sid
    script = SCRIPTS / (suite if (SCRIPTS / suite).exists() else "sid")
    print(f"== debootstrap {suite} from {MIRROR}", flush=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(root), MIRROR, str(script)]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode != 0:
        log = root / "debootstrap" / "debootstrap.log"
        last = (log.read_text(errors="replace") if log.exists() else made.stdout).strip().splitlines()[-3:]
        raise PythonMissingError(f"debootstrap {suite} from {MIRROR} failed: {' | '.join(last)}")
    (root / ".made").touch()


def _copy_checkout(place: Path) -> None:
    """Copy what git knows and what is new in the checkout, and leave the chroot's .venv alone."""
    place.mkdir(exist_ok=True)
    for entry in place.iterdir():
        if entry.name != ".venv":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        source, target = REPOSITORY / name, place / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
