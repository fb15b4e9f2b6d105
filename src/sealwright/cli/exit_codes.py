"""Exit codes by class of error; scripts may rely on them.

0 done   1 unexpected   2 usage or input   3 verification failed   4 not found   5 conflict   6 not authenticated
7 not permitted   8 rate limited   9 unavailable, try again   10 configuration   11 mail held, nothing sent
12 outcome unknown, look before trying again
"""

from sealwright.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    InputError,
    MailHeldError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    SealwrightError,
    UnavailableError,
    VerificationError,
)

EXIT_CODES: dict[type[SealwrightError], int] = {
    MailHeldError: 11,
    InputError: 2,
    VerificationError: 3,
    NotFoundError: 4,
    ConflictError: 5,
    AuthenticationError: 6,
    PermissionDeniedError: 7,
    RateLimitedError: 8,
    UnavailableError: 9,
    OutcomeUnknownError: 12,
    ConfigurationError: 10,
    SealwrightError: 1,
}


def exit_code(error: SealwrightError) -> int:
    """Return the exit code of an error: that of its nearest class in the table."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)
