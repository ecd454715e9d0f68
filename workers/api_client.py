"""A seller who posts listings over HTTP, as the documentation tells every client to."""

from __future__ import annotations

from typing import Any

import requests

from infra.sample.generator import SampleListing
from pipeline.domain.errors import Unavailable

WAIT_SECONDS = 20
TIMEOUT = 30.0
NAME_SHOWN = 56


class ApiClient:
    """Posts as ``source`` with an API key; every call raises Unavailable with the api's own words when refused."""

    def __init__(self, address: str, key: str, source: str) -> None:
        self._address = address
        self._source = source
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def upload(self, photo: bytes, content_type: str = "image/jpeg") -> str:
        """Put a photo into the storage through a signed address; returns its key."""
        wanted = {"content_type": content_type, "size": len(photo)}
        signed = self._call("POST", f"{self._address}/v1/uploads", json=wanted)
        # Without the session: the signed address is all the access this needs, and may lead to another host.
        answer = requests.put(
            signed["url"], data=photo, headers={"Content-Type": content_type, **signed["headers"]}, timeout=TIMEOUT
        )
        if not answer.ok:
            raise Unavailable(f"the upload of a photo was refused ({answer.status_code}): {answer.text[:300]}")
        key: str = signed["key"]
        return key

    def post(self, listing: SampleListing) -> str:
        """Post a listing with its photo, wait for the decision, and tell it in one line."""
        photo = listing.jpeg()
        body = {
            "source": self._source,
            "external_id": listing.external_id,
            "name": listing.name,
            "description": listing.description,
            "attributes": dict(listing.attributes),
            "images": [self.upload(photo)] if photo else [],
        }
        answer = self._call(
            "POST", f"{self._address}/v1/listings", json=body, headers={"Prefer": f"wait={WAIT_SECONDS}"}
        )
        name = listing.name if len(listing.name) <= NAME_SHOWN else listing.name[: NAME_SHOWN - 1] + "…"
        decision = answer.get("decision")
        if not decision:
            return f"{name} -> not decided within {WAIT_SECONDS} s"
        if decision["category"] is None:
            return f"{name} -> {decision['status']}: {decision['reason']}"
        return f"{name} -> {decision['category']} ({decision['confidence']:.0%}) -> {decision['status']}"

    def _call(self, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        answer = self._session.request(method, url, timeout=TIMEOUT, **arguments)
        if not answer.ok:
            raise Unavailable(f"{method} {url} was refused ({answer.status_code}): {answer.text[:300]}")
        content: dict[str, Any] = answer.json()
        return content
