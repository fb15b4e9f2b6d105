"""A SoftHSM token of its own for a test."""

import subprocess
from pathlib import Path

from sealwright.keystore.hsm import Hsm

MODULE = next(
    (
        path
        for path in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
        if Path(path).exists()
    ),
    "/usr/lib/softhsm/libsofthsm2.so",
)
TOKEN, PIN = "sealwright", "5678-pin"


def make_token(folder):
    """Make a token below a folder; return the environment by which the module finds it, the HSM and its PIN file."""
    (folder / "tokens").mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    environment = {"SOFTHSM2_CONF": str(configuration)}
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--so-pin", "so-pin", "--pin", PIN],
        env={**environment, "PATH": "/usr/bin"},
        check=True,
        capture_output=True,
    )
    pin_file = folder / "pin"
    pin_file.write_text(PIN + "\n")
    pin_file.chmod(0o600)
    return environment, Hsm(MODULE, TOKEN), pin_file
