"""The operator's interface to the seal (`/local/seal`)."""

from litestar import Controller, get, post
from litestar.di import NamedDependency

from sealwright.server.wiring import Services
from sealwright.wire.seal import SealStatus


class SealController(Controller):
    """Routes under `/local/seal`."""

    path = "/local/seal"

    @get("/", sync_to_thread=True)
    def status(self, services: NamedDependency[Services]) -> SealStatus:
        """Return how the seal is."""
        return seal_status(services)

    @post("/rotations", sync_to_thread=True, status_code=200)
    def rotate(self, services: NamedDependency[Services]) -> SealStatus:
        """Begin to use a new storage key; what older ones sealed is re-sealed in the background."""
        services.rotation.rotate()
        return seal_status(services)


def seal_status(services: Services) -> SealStatus:
    """Return how the seal is."""
    return SealStatus(kind="key-file", state="open", rotation=services.rotation.status())
