"""What the console needs from elsewhere; the composition root satisfies it."""

from typing import Protocol

from sealwright.console.model import ServerState
from sealwright.wire.seal import SealStatus


class SealReader(Protocol):
    """Knows how the seal is."""

    def __call__(self) -> SealStatus:
        """Return it."""
        ...


class StateReader(Protocol):
    """Knows the state of the server."""

    def __call__(self) -> ServerState:
        """Ask every part; a part that fails is named in the answer."""
        ...
