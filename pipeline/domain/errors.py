"""Every error Rayon raises on purpose.

RayonError
├── InvalidInput           an input that cannot be used; the message says what to do
│   ├── InvalidCategory
│   └── InvalidCatalogue
├── NotFound               it does not exist, or not for the user who asks
├── Conflict               the request contradicts the state of the record
│   └── IdempotencyKeyReused
├── PermanentFailure       trying again gives the same answer
│   ├── BadImage           bytes that are no usable picture
│   ├── ForbiddenAddress   safe fetch refuses the target
│   └── BadArtefact        a model file is damaged or of another kind
├── TransientFailure       trying again later may work
│   ├── StorageUnavailable
│   └── AddressUnavailable the host of an address does not answer properly
│       └── RateLimited    the host's rate limit is reached, or it asked to wait
└── Unavailable            a part that is not installed here: says why and what to do
"""

from __future__ import annotations

from pipeline.domain.reason import Reason


class RayonError(Exception):
    """Root of every error raised on purpose; its text is fit for a user.

    Raised with a ``Reason`` instead of a text where people may read it in another language, see ``reason_of``.
    """


class InvalidInput(RayonError):
    """An input that cannot be used; the message says what to do instead."""


class InvalidCategory(InvalidInput):
    """A category path that is empty, too deep or too long."""


class InvalidCatalogue(InvalidInput):
    """A catalogue file that cannot be read as one at all."""


class NotFound(RayonError):
    """It does not exist, or not for the user who asks."""


class Conflict(RayonError):
    """The request contradicts the state of the record."""


class IdempotencyKeyReused(Conflict):
    """An idempotency key that was used before with another request body."""


class PermanentFailure(RayonError):
    """Trying again gives the same answer."""


class BadImage(PermanentFailure):
    """Bytes that are no usable picture."""


class ForbiddenAddress(PermanentFailure):
    """An address that safe fetch refuses: scheme, host, or a private target."""


class BadArtefact(PermanentFailure):
    """A model file that is damaged, truncated or of another kind."""


class TransientFailure(RayonError):
    """Trying again later may work."""


class StorageUnavailable(TransientFailure):
    """The object storage does not answer."""


class AddressUnavailable(TransientFailure):
    """The host of an address does not answer, or answers with an error that may pass.

    ``retry_after`` is the least number of seconds to wait before the next request; None where that is unknown.
    """

    def __init__(self, message: str | Reason = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(AddressUnavailable):
    """A host gets no request for ``retry_after`` seconds, since its rate limit is reached or it asked to wait.

    The address itself may be fine, so this is not counted as a failure of the job that needs it.
    """


class Unavailable(RayonError):
    """A part that is not installed here; the message says why and what to do."""
