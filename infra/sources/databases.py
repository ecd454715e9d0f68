"""The product databases that Rayon knows: where they are, and under which terms they give their products."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import Licence

ODBL = "https://opendatacommons.org/licenses/odbl/1-0/"


@dataclass(frozen=True, slots=True)
class Database:
    """A product database of the Open Food Facts family. Addresses have no slash at their end.

    ``home`` has a page for each product. ``site`` answers the API, ``images`` holds the photos, ``files`` the published
    export and the daily changes. ``image_hosts`` are all hosts (with a port where there is one) that photos come from.
    """

    name: str
    title: str
    home: str
    site: str
    images: str
    files: str
    image_hosts: frozenset[str]

    @property
    def export(self) -> str:
        """The address of the whole published file: gzip, one product a line."""
        return f"{self.files}/{self.name}-products.jsonl.gz"

    @property
    def changes(self) -> str:
        """The address of the list of files that hold what changed in the last days, one name a line."""
        return f"{self.files}/delta/index.txt"

    @property
    def licence(self) -> Licence:
        """The terms of its products."""
        return Licence(
            name="ODbL 1.0",
            url=ODBL,
            attribution=(
                f"Product data from {self.title} ({self.home}) under the Open Database License (ODbL 1.0); "
                "photos by its contributors under CC BY-SA 3.0."
            ),
        )

    def page_of(self, code: str) -> str:
        """The address of a product's page."""
        return f"{self.home}/product/{code}"

    def at(self, address: str) -> Database:
        """The same database at another address (a mirror, a server of a test), which has everything under it."""
        base = address.rstrip("/")
        return replace(
            self, site=base, images=base, files=f"{base}/data", image_hosts=frozenset({urlsplit(base).netloc})
        )


def _facts(kind: str, title: str) -> Database:
    domain = f"open{kind}facts.org"
    return Database(
        name=f"open{kind}facts",
        title=title,
        home=f"https://world.{domain}",
        site=f"https://world.{domain}",
        images=f"https://images.{domain}",
        files=f"https://static.{domain}/data",
        image_hosts=frozenset({f"images.{domain}", f"static.{domain}", f"world.{domain}"}),
    )


DATABASES = {
    database.name: database
    for database in (
        _facts("food", "Open Food Facts"),
        _facts("beauty", "Open Beauty Facts"),
        _facts("petfood", "Open Pet Food Facts"),
        _facts("products", "Open Products Facts"),
    )
}


def located(name: str, addresses: str) -> Database:
    """The database of that name, where the setting RAYON_SOURCES_ADDRESS says it is.

    ``addresses`` is empty, one address for all databases, or ``name=address`` with commas between. Raises InvalidInput
    for a name that is not known, and for an address that is none.
    """
    if name not in DATABASES:
        raise InvalidInput(f"there is no product database {name!r}; there are: {', '.join(DATABASES)}")
    for part in filter(None, (part.strip() for part in addresses.split(","))):
        of, named, address = part.partition("=")
        if not named or "://" in of:
            of, address = name, part
        if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
            raise InvalidInput(f"RAYON_SOURCES_ADDRESS: {part!r} is no http(s) address, nor a database=address")
        if of == name:
            return DATABASES[name].at(address)
    return DATABASES[name]
