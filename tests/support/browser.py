"""Debian's Chromium with a home of its own that trusts one more root; certificate errors stay errors."""

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def is_there():
    """Whether browser, its driver and certutil are installed."""
    return CHROMIUM.exists() and shutil.which("certutil") is not None


def trust(home, root_pem):
    """Put a root into the NSS database that Chromium reads."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil = ("certutil", "-d", f"sql:{database}")
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    subprocess.run([*certutil, "-A", "-n", "root", "-t", "C,,", "-i", str(root_pem)], check=True)


@contextmanager
def chromium(home):
    """Start Chromium with a home; yield it."""
    from playwright.sync_api import sync_playwright

    env: dict[str, str | float | bool] = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS), env=env)
        try:
            yield browser
        finally:
            browser.close()
