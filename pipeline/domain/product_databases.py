"""The supported product databases: their addresses, and the terms of their products."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import Licence

ODBL = "https://opendatacommons.org/licenses/odbl/1-0/"


@dataclass(frozen=True, slots=True)
class ProductDatabase:
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
        """The address of the index of daily changes: the name of a file a line."""
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

    def at(self, address: str) -> ProductDatabase:
        """The same database at another address (a mirror, a test server) that has everything under it."""
        base = address.rstrip("/")
        return replace(
            self, site=base, images=base, files=f"{base}/data", image_hosts=frozenset({urlsplit(base).netloc})
        )


def _open_facts(kind: str, title: str) -> ProductDatabase:
    domain = f"open{kind}facts.org"
    return ProductDatabase(
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
        _open_facts("food", "Open Food Facts"),
        _open_facts("beauty", "Open Beauty Facts"),
        _open_facts("petfood", "Open Pet Food Facts"),
        _open_facts("products", "Open Products Facts"),
    )
}


def find_database(name: str, addresses: str) -> ProductDatabase:
    """The database of that name, at the address that the setting RAYON_SOURCES_ADDRESS gives it.

    ``addresses`` is empty, one address for all databases, or ``name=address`` entries separated by commas. Raises
    InvalidInput for an unknown name, and for an entry that is no address.
    """
    if name not in DATABASES:
        raise _unknown_database(name)
    for part in filter(None, (part.strip() for part in addresses.split(","))):
        entry_name, named, address = part.partition("=")
        if not named or "://" in entry_name:
            entry_name, address = name, part
        if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
            raise InvalidInput(f"RAYON_SOURCES_ADDRESS: {part!r} is neither an http(s) address nor database=address")
        if entry_name == name:
            return DATABASES[name].at(address)
    return DATABASES[name]


def licence_of(name: str) -> Licence:
    """The terms of a database's products; InvalidInput for an unknown one."""
    if name not in DATABASES:
        raise _unknown_database(name)
    return DATABASES[name].licence


def _unknown_database(name: str) -> InvalidInput:
    return InvalidInput(f"there is no product database {name!r}; there are: {', '.join(DATABASES)}")
