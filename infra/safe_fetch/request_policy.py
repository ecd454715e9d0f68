"""How a fetch asks hosts: the hook that surrounds each of its requests, redirects included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from infra.safe_fetch.addresses import Target


class RequestPolicy(Protocol):
    """Of one fetch: whatever keeps a request from being sent is raised, and how it was answered is seen."""

    def asking(self, target: Target) -> AbstractContextManager[Mapping[str, str]]:
        """Around one request: waits for its turn, gives the headers to send with it, and sees its error, if any.

        Raises NotOurTurn when the turn comes later, AddressUnavailable and PermanentFailure for other reasons.
        """
        ...


class AskAtOnce:
    """Hosts are asked at once."""

    @contextmanager
    def asking(self, target: Target) -> Iterator[Mapping[str, str]]:
        """Nothing is waited for."""
        yield {}
