"""The rounds of `make proof` (tests/conftest.py)."""

import os

PROOF_ROUNDS = int(os.environ.get("SEALWRIGHT_PROOF_ROUNDS", "1"))


def round_scope(**_: object) -> str:
    """Give each round a fixture of its own; the single round of `make test` shares it (a pytest dynamic scope)."""
    return "function" if PROOF_ROUNDS > 1 else "module"
