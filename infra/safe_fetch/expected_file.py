"""Holding what a host gives to what is known of a published file: its size, its digest, and that it is one at all."""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from requests import Response

from infra.safe_fetch.connection import Answer
from infra.safe_fetch.fetcher import refusal
from pipeline.domain.errors import AddressUnavailable, BadArtefact, PermanentFailure
from pipeline.domain.published_file import PublishedFile

CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
LABELS = {"sha256": "SHA-256", "md5": "MD5"}


def host_of(wanted: PublishedFile) -> str:
    """The host of the file's address, which is all that messages tell of it: addresses may hold a password."""
    return urlsplit(wanted.address).hostname or "the address"


def check_digest(wanted: PublishedFile, path: Path) -> None:
    """BadArtefact unless the file has the known size and digest: the SHA-256, or else the MD5, where one is known."""
    check_size(wanted, path.stat().st_size)
    name, known = ("sha256", wanted.sha256) if wanted.sha256 else ("md5", wanted.md5)
    if known is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, name).hexdigest()
    if found != known:
        raise BadArtefact(
            f"what {host_of(wanted)} gives is another file than the one known: its {LABELS[name]} is {found[:12]}…, "
            f"not {known[:12]}…; it was thrown away"
        )


def check_size(wanted: PublishedFile, size: int | None) -> None:
    """BadArtefact when ``size`` (bytes; None where a host does not say) is not the known one, or more than is taken."""
    if size is None or size == (wanted.size or size) <= wanted.most:
        return
    expected = f"the known one has {wanted.size:,}" if wanted.size else f"at most {wanted.most:,} are taken"
    raise BadArtefact(
        f"what {host_of(wanted)} gives has {size:,} bytes, {expected}: it is another file, and is not kept"
    )


def check_answer(wanted: PublishedFile, response: Response) -> None:
    """Whether the answer brings a file at all.

    Raises PermanentFailure for one that does not (404, a web page, a way that is not https although it began so),
    AddressUnavailable for one that may another time (429, 5xx).
    """
    host = host_of(wanted)
    if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise refusal(Answer(response.status_code, headers, b""), host)
    hops = [hop.url for hop in (*response.history, response)]
    if hops[0].startswith("https:") and not all(hop.startswith("https:") for hop in hops):
        raise PermanentFailure(f"{host} leads to an address that is not https")
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise PermanentFailure(
            f"{host} answers with a web page instead of the file: it has moved, or this network asks for a login"
        )


def total_of(wanted: PublishedFile, response: Response, start: int) -> int | None:
    """How many bytes the file has in all, by a checked answer that begins at byte ``start``; None when not told.

    Raises BadArtefact when that is not the known size, AddressUnavailable when the answer begins elsewhere.
    """
    if response.status_code == HTTPStatus.OK:
        length = response.headers.get("Content-Length", "")
    else:
        found = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != start:
            raise AddressUnavailable(f"{host_of(wanted)} answers with another part than it was asked for")
        length = found[2]
    total = int(length) if length.isdigit() else None
    check_size(wanted, total)
    return total


def validator_of(response: Response) -> str:
    """What If-Range may hold for this answer (RFC 9110, section 13.1.5): a strong ETag, else a date, else empty."""
    tag = response.headers.get("ETag", "").strip()
    if tag:
        return "" if tag.startswith("W/") else tag
    return response.headers.get("Last-Modified", "").strip()
