"""Sign uploads to a storage folder, and verify their signatures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from pipeline.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class PutClaims:
    """The object that a presigned URL lets a client store: this key, this media type, exactly ``size`` bytes."""

    key: str
    content_type: str
    size: int

    def check_body(self, content_type: str, size: int) -> None:
        """Raise InvalidInput unless the body has the media type and the size (bytes) that were signed."""
        if content_type.strip().lower() != self.content_type.lower():
            raise InvalidInput(f"this upload was signed for {self.content_type}, not for {content_type}")
        if size != self.size:
            raise InvalidInput(f"this upload was signed for exactly {self.size} bytes, not for {size}")


class PutSigner:
    """Signs and verifies claims with a secret (HMAC, by itsdangerous)."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeSerializer(secret, salt="rayon.storage.put")

    def sign(self, claims: PutClaims, expires_in: int) -> str:
        """A token for a query string, valid for ``expires_in`` seconds."""
        expires_at = int(time.time()) + expires_in
        return str(self._serializer.dumps([claims.key, claims.content_type, claims.size, expires_at]))

    def verify(self, key: str, query: Mapping[str, str]) -> PutClaims:
        """The claims signed for ``key``; InvalidInput when the token is missing, forged, expired or for another key."""
        try:
            signed_key, content_type, size, expires_at = self._serializer.loads(query.get("token", ""))
        except (BadSignature, ValueError, TypeError) as error:
            raise InvalidInput("the signature of this upload address is not valid; ask for a new address") from error
        if signed_key != key:
            raise InvalidInput("this upload address was signed for another key; ask for a new address")
        if time.time() >= expires_at:
            raise InvalidInput("this upload address has expired; ask for a new one")
        return PutClaims(signed_key, content_type, size)
