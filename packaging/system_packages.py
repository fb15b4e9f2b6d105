"""Install, or name in one line, the Debian packages that demo and tests drive as real parts.

As root on Debian the missing ones are installed; elsewhere they are named and the tests that need them are skipped. With
CI=true nothing may be missing.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

DEMO_PROGRAMS = {"openssl": "openssl", "dovecot": "dovecot-core", "postfix": "postfix"}
"""Program that must be on the path -> Debian package that holds it; what the demo drives."""

TEST_PROGRAMS = {
    "gpgsm": "gpgsm",
    "certutil": "libnss3-tools",
    "softhsm2-util": "softhsm2",
    "ldapsearch": "ldap-utils",
    "chromium": "chromium",
    "thunderbird": "thunderbird",
}
"""The same for what only tests drive."""

DEMO_FILES = {"dovecot/imap": "dovecot-imapd", "dovecot/lmtp": "dovecot-lmtpd"}
"""Pattern of a file under /usr/lib, off the path, -> Debian package that holds it."""

TEST_FILES = {"postgresql/*/bin/initdb": "postgresql"}
"""The same for what only tests drive."""

SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
"""Mail servers lie where an ordinary user's path does not lead."""

ANSWERS = "postfix postfix/main_mailer_type select No configuration\n"
"""What debconf would ask: this machine's own mail is left alone."""


def missing_packages(*, tests: bool) -> list[str]:
    """Return the Debian packages that are not there, sorted; those that only tests drive if asked for."""
    programs = {**DEMO_PROGRAMS, **TEST_PROGRAMS} if tests else DEMO_PROGRAMS
    files = {**DEMO_FILES, **TEST_FILES} if tests else DEMO_FILES
    missing = [package for program, package in programs.items() if shutil.which(program, path=SEARCH_PATH) is None]
    missing += [package for pattern, package in files.items() if not any(Path("/usr/lib").glob(pattern))]
    if importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")
    return sorted(missing)


def install(packages: list[str]) -> None:
    """Install packages without any question; their services' output is not shown."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if shutil.which("debconf-set-selections"):
        subprocess.run(["debconf-set-selections"], check=True, env=environment, input=ANSWERS, text=True)
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment, stdin=subprocess.DEVNULL)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        check=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def main() -> None:
    """Look for each package; install or name what is missing."""
    missing = missing_packages(tests="demo" not in sys.argv[1:])
    if not missing:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install(missing)
        return
    line = f"sealwright: missing system packages, install them with: apt-get install {' '.join(missing)}"
    if os.environ.get("CI") == "true":
        sys.exit(line)
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
