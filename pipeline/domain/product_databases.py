"""The supported product databases: their addresses and licences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import Licence

ODBL = "https://opendatacommons.org/licenses/odbl/1-0/"


@dataclass(frozen=True, slots=True)
class ProductDatabase:
    """A product database of the Open Food Facts family. Addresses have no trailing slash.

    ``home`` is the website, with a page per product; ``site`` serves the API, ``images`` the photos, ``files`` the
    published export and the daily changes. ``image_hosts`` are all hosts (``host:port`` where a port is given) that
    serve photos.
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
        """The address of the complete export: gzip, one JSON product per line."""
        return f"{self.files}/{self.name}-products.jsonl.gz"

    @property
    def changes(self) -> str:
        """The address of the index of daily changes: one file name per line."""
        return f"{self.files}/delta/index.txt"

    @property
    def licence(self) -> Licence:
        """The licence of its products."""
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

    def at_address(self, address: str) -> ProductDatabase:
        """A copy whose API, photos and files are all served under one address, such as a mirror or a test server."""
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
    """The database of this name, at the address that ``addresses`` (the setting RAYON_SOURCES_ADDRESS) gives for it.

    ``addresses`` is empty, one address for all databases, or ``name=address`` entries separated by commas. Raises
    InvalidInput for an unknown name, and for an entry without a valid address.
    """
    if name not in DATABASES:
        raise _unknown_database(name)
    for entry in filter(None, (entry.strip() for entry in addresses.split(","))):
        entry_name, separator, address = entry.partition("=")
        if not separator or "://" in entry_name:
            entry_name, address = name, entry
        if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
            raise InvalidInput(f"RAYON_SOURCES_ADDRESS: {entry!r} is neither an http(s) address nor database=address")
        if entry_name == name:
            return DATABASES[name].at_address(address)
    return DATABASES[name]


def licence_of(name: str) -> Licence:
    """The licence of a database's products; raises InvalidInput for an unknown database."""
    if name not in DATABASES:
        raise _unknown_database(name)
    return DATABASES[name].licence


def _unknown_database(name: str) -> InvalidInput:
    return InvalidInput(f"there is no product database {name!r}; there are: {', '.join(DATABASES)}")
