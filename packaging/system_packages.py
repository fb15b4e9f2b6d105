"""Install, or name in one line, the Debian packages that demo and tests drive as real parts.

As root on Debian the missing ones are installed; elsewhere they are named and the tests that need them are skipped. With
CI=true nothing may be missing.
"""

import os
import shutil
import subprocess
import sys

PROGRAMS = {"openssl": "openssl", "gpgsm": "gpgsm", "certutil": "libnss3-tools"}
"""Program that must be on the path -> Debian package that holds it."""


def main() -> None:
    """Look for each program; install or name what is missing."""
    missing = sorted(package for program, package in PROGRAMS.items() if shutil.which(program) is None)
    if not missing:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment, stdin=subprocess.DEVNULL)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
            check=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        return
    line = f"sealwright: missing system packages, install them with: apt-get install {' '.join(missing)}"
    if os.environ.get("CI") == "true":
        sys.exit(line)
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
