"""The exception tree.

Deep code names the cause; only the edges (HTTP, SMTP, command line) know status numbers, and they find them in one
table (`wire/problems.py`). A message never holds a key, a password, a token or plaintext.

    SealwrightError
    ├── InputError                      what came in cannot be used; nothing was changed
    │   ├── DecodingError               the bytes are not a valid encoding of what they should be
    │   ├── UnsupportedAlgorithmError   well formed, but an algorithm we do not use
    │   └── ProfileViolationError       well formed, but against a profile or a lint
    ├── VerificationError               a cryptographic check failed
    │   ├── InvalidSignatureError
    │   ├── PathValidationError         RFC 5280 section 6 says no
    │   ├── DecryptionError             never tells why
    │   └── LogVerificationError        the log is forked, has a gap, or does not hold what was promised
    ├── NotFoundError
    ├── ConflictError                   the state changed meanwhile, or the thing exists already
    ├── AuthenticationError             who you are was not shown
    │   └── NonceRequiredError          show it again with the nonce that came with this answer (RFC 9449 section 8)
    ├── PermissionDeniedError           who you are is known, and this is not allowed
    │   ├── ApprovalsMissingError
    │   └── MailHeldError               a message was kept back, for all its recipients or for some
    ├── RateLimitedError
    ├── UnavailableError                try again later
    │   └── SealedError                 the server is sealed, quarantined or has lost its keystore
    ├── OutcomeUnknownError             it may or may not have been done: look before doing it again
    └── ConfigurationError              an administrator must change something
"""


class SealwrightError(Exception):
    """Base of every error that Sealwright raises on purpose.

    Args:
        message: One sentence for people; says what to do next where that is known.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InputError(SealwrightError):
    """What came in cannot be used; nothing was changed."""


class DecodingError(InputError):
    """The bytes are not a valid encoding of what they should be."""


class UnsupportedAlgorithmError(InputError):
    """Well formed, but an algorithm that is not used here."""


class ProfileViolationError(InputError):
    """Well formed, but against a profile, a template or a lint."""


class VerificationError(SealwrightError):
    """A cryptographic check failed."""


class InvalidSignatureError(VerificationError):
    """A signature does not verify."""


class PathValidationError(VerificationError):
    """A certification path is not valid (RFC 5280 section 6).

    Args:
        message: One sentence for people.
        code: Stable word for programs, such as "expired" or "revoked"; `pkix.path` lists them.
    """

    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code


class DecryptionError(VerificationError):
    """A message could not be decrypted; the reason is never told, so that it cannot serve as an oracle."""

    def __init__(self, message: str = "the message cannot be decrypted with the keys of this device") -> None:
        super().__init__(message)


class LogVerificationError(VerificationError):
    """The log is forked, has a gap, or does not hold what was promised."""


class NotFoundError(SealwrightError):
    """There is no such thing, or not for whoever asks."""


class ConflictError(SealwrightError):
    """The state changed meanwhile, or the thing exists already."""


class AuthenticationError(SealwrightError):
    """Who asks was not shown."""


class NonceRequiredError(AuthenticationError):
    """The proof needs a fresh server nonce, which the answer carries (RFC 9449 section 8)."""


class PermissionDeniedError(SealwrightError):
    """Who asks is known, and this is not allowed."""


class ApprovalsMissingError(PermissionDeniedError):
    """The act needs approvals that were not given yet."""


class MailHeldError(PermissionDeniedError):
    """A message was kept back, for all its recipients or for those who did not get it: never sent in clear instead."""


class RateLimitedError(SealwrightError):
    """Too many requests of this kind.

    Args:
        message: One sentence for people.
        retry_after_seconds: When asking again makes sense.
    """

    def __init__(self, message: str, retry_after_seconds: int = 60) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(SealwrightError):
    """The service or a part of it is not there now; the same request may succeed later."""


class SealedError(UnavailableError):
    """The server is sealed or quarantined, or its keystore processes are gone."""


class OutcomeUnknownError(SealwrightError):
    """It may or may not have been done: whoever wants to do it again looks first."""


class ConfigurationError(SealwrightError):
    """An administrator must change something; the message says what."""
