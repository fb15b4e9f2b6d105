"""What this device trusts."""

from sealwright.client.context import ClientContext
from sealwright.client.issuer_certificates import MissingIssuers
from sealwright.smime.trust import Trust


def trust_of(context: ClientContext) -> Trust:
    """Return what one message is judged by: the organization's roots, for its own domain only, and its CAs' services."""
    return Trust(
        now=context.clock.now(),
        anchors=context.smime_anchors,
        fetch_evidence=context.revocation_sources.fetch_for,
        fetch_issuers=MissingIssuers(context.issuer_sources).fetch_for,
        domain=context.statement.domain,
    )
