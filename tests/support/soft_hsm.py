"""SoftHSM tokens: one of its own for a test, or one for all seals of a run (`make test-softhsm`)."""

import os
import subprocess
import tempfile
from pathlib import Path

from sealwright.keystore.seal_options import Hsm

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


SUITE = "SEALWRIGHT_TEST_SEAL"
"""Set to "pkcs11", every server that tests make has its root wrapping key in SoftHSM."""
_FOLDER = "SEALWRIGHT_TEST_HSM"


def prepare_suite():
    """Make the token of a run; the processes of the run find it by the environment."""
    if os.environ.get(SUITE) == "pkcs11" and _FOLDER not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="sealwright-hsm-"))
        environment, _, _ = make_token(folder)
        os.environ.update(environment)
        os.environ[_FOLDER] = str(folder)


def suite_hsm():
    """Return HSM and PIN file of the run, or None if its seals are of kind "key-file"."""
    if os.environ.get(SUITE) != "pkcs11":
        return None
    return Hsm(MODULE, TOKEN), str(Path(os.environ[_FOLDER]) / "pin")


def init_arguments():
    """Return what `sealwright init` is told of the seal."""
    found = suite_hsm()
    if found is None:
        return []
    hsm, pin_file = found
    return [
        "--seal", "pkcs11", "--pkcs11-module", hsm.module, "--pkcs11-token", hsm.token, "--pkcs11-pin-file", pin_file,
    ]  # fmt: skip
