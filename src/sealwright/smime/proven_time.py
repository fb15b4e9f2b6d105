"""When a signature was there already, as a trusted timestamp authority proves (RFC 3161): so it outlives its certificate."""

from collections.abc import Sequence
from datetime import datetime

from sealwright.cms.signer_report import TimestampReport
from sealwright.errors import PathValidationError
from sealwright.pkix.revocation import CLOCK_TOLERANCE
from sealwright.smime.trust import Trust, find_trusted_path, load_lists

MAX_TIMESTAMPS = 4
"""Of one signature; each costs a path."""


def proven_time(timestamps: Sequence[TimestampReport], trust: Trust) -> datetime | None:
    """Return the earliest time at which a signature is proven to have been there, or None.

    An authority whose own certificate has ended proves nothing any more; who wants more puts a newer timestamp on top.
    """
    times = [_time_of(each, trust) for each in timestamps[:MAX_TIMESTAMPS]]
    return min((time for time in times if time is not None), default=None)


def _time_of(timestamp: TimestampReport, trust: Trust) -> datetime | None:
    signer, gen_time = timestamp.signer, timestamp.gen_time
    if not timestamp.is_intact or signer is None or signer.certificate is None or gen_time is None:
        return None
    if gen_time > trust.now + CLOCK_TOLERANCE:
        return None
    try:
        find_trusted_path(
            signer.certificate, timestamp.certificates, trust, purpose="timestamp", crls=load_lists(timestamp.crls)
        )
    except PathValidationError:
        return None
    return min(gen_time, trust.now)
