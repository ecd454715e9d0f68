"""All errors that Rayon raises deliberately.

RayonError
├── InvalidInput           an input that cannot be used; the message says what to do
│   ├── InvalidCategory
│   └── InvalidCatalogue
├── NotFound               it does not exist, or the caller may not see it
├── Conflict               the request contradicts the state of the record
│   └── IdempotencyKeyReused
├── PermanentFailure       trying again gives the same answer
│   ├── BadImage           bytes that are not a usable image
│   ├── ForbiddenAddress   safe fetch refuses the target
│   └── BadArtefact        a model file is damaged or of the wrong kind
├── TransientFailure       trying again later may work
│   ├── StorageUnavailable
│   └── AddressUnavailable the host of an address does not answer properly
│       └── RateLimited    the host's rate limit is reached, or it asked to wait
└── Unavailable            a component is not installed; the message says why and what to do
"""

from __future__ import annotations

from pipeline.domain.reason import Reason


class RayonError(Exception):
    """Base class of all errors raised deliberately; its text may be shown to users.

    Raised with a ``Reason`` instead of a text where it may be shown in another language, see ``reason_of``.
    """


class InvalidInput(RayonError):
    """An input that cannot be used; the message says what to do instead."""


class InvalidCategory(InvalidInput):
    """A category path that is empty, too deep or too long."""


class InvalidCatalogue(InvalidInput):
    """A file that is not a readable catalogue."""


class NotFound(RayonError):
    """The record does not exist, or the caller may not see it."""


class Conflict(RayonError):
    """The request contradicts the state of the record."""


class IdempotencyKeyReused(Conflict):
    """The idempotency key was used before, with another request body."""


class PermanentFailure(RayonError):
    """Trying again gives the same answer."""


class BadImage(PermanentFailure):
    """Bytes that are not a usable image."""


class ForbiddenAddress(PermanentFailure):
    """An address that safe fetch refuses: scheme, host, or a private target."""


class BadArtefact(PermanentFailure):
    """A model file that is damaged, truncated or of the wrong kind."""


class TransientFailure(RayonError):
    """Trying again later may work."""


class StorageUnavailable(TransientFailure):
    """The object storage does not answer."""


class AddressUnavailable(TransientFailure):
    """The host of an address does not answer, or answers with a temporary error.

    ``retry_after`` is the minimum number of seconds to wait before the next request, None if unknown.
    """

    def __init__(self, message: str | Reason = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(AddressUnavailable):
    """No request may be sent to a host for ``retry_after`` seconds: its rate limit is reached, or it asked to wait.

    The address itself may be fine, so this does not count as a failure of the job that needs it.
    """


class Unavailable(RayonError):
    """A component is not installed; the message says why and what to do."""
