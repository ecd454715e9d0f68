"""Find the column of each field: chosen by the user, declared by the file, or by names and content.

Names propose candidates, those of a known platform first; the content of a sample decides among them. A column of ids
that is empty, or repeats them, is no column of ids where another one is complete and unique.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

from infra.catalogue_files.cell_values import ADDRESS, text_of
from infra.catalogue_files.platforms import PLATFORMS, Platform, recognise_platform
from pipeline.domain.errors import InvalidCatalogue

# The likeliest names come first: of two columns that could be the id, it is the one that is earlier in this table.
FIELD_NAMES: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        *("uniq_id", "external_id", "product_id", "id", "_id", "item_id", "listing_id", "sku", "code", "asin"),
        *("ean", "gtin", "barcode", "code_barre", "pid", "reference", "ref", "identifiant", "handle"),
        *("ugs", "item_sku", "seller_sku", "variant_sku", "ean13", "identifier", "product_code", "offer_id"),
    ),
    "name": (
        *("product_name", "name", "title", "product_title", "item_name", "nom", "nom_du_produit", "nom_produit"),
        *("libelle", "designation", "intitule", "titre", "label", "product"),
    ),
    "description": (
        *("description", "product_description", "desc", "long_description", "body", "body_html", "descriptif"),
        *("details", "generic_name", "short_description", "texte", "summary", "description_courte", "resume"),
    ),
    "category": (
        *("product_category_tree", "category_path", "category", "product_category", "categories", "categorie"),
        *("chemin_categorie", "product_type", "taxonomy", "rayon", "google_product_category", "main_category"),
    ),
    "image": (
        *("image", "image_url", "images", "image_urls", "photo", "photos", "photo_url", "picture", "pictures"),
        *("image_file", "image_path", "image_link", "main_image", "img", "file_name", "filename", "fichier"),
        *("image_bytes", "photo_bytes", "picture_bytes", "image_src", "main_image_url", "base_image"),
    ),
    "attributes": (
        *("product_specifications", "specifications", "attributes", "specs", "product_attributes"),
        *("attributs", "caracteristiques", "proprietes", "properties"),
    ),
    "split": ("split", "subset"),
    "parent": ("item_group_id", "parent_sku", "parent_id", "product_handle"),
}
# Columns below a category column, whose values continue its path; ``type`` only where there is a subcategory.
SUBCATEGORY_NAMES = (
    *("sub_category", "subcategory", "sous_categorie", "sub_category_1", "category_level_2"),
    *("sub_sub_category", "subsubcategory", "sous_sous_categorie", "sub_category_2", "category_level_3"),
    *("sub_category_3", "category_level_4", "category_level_5"),
)
TOP_CATEGORY_NAMES = (
    "main_category",
    "category",
    "categorie",
    "category_level_1",
    "department",
    "departement",
    "rayon",
)
TYPE_NAMES = ("type", "product_type")
LEVEL_NAME = re.compile(r"(?:product_)?(?:category|categorie|cat|level|niveau)_?(?:level_|lvl_?|niveau_)?(\d)")
IMAGE_NUMBER = re.compile(
    r"(?:.*_)?(?:image|images|photo|picture|img)(?:_(?:url|link|src|file))?_?(\d+)(?:_(?:url|link|src|file))?"
)
MORE_IMAGES = ("additional_image_link", "additional_images", "other_image_url", "variant_image", "image_2")
LOCALE = re.compile(r"[-.]([a-z]{2})(?:[_-][A-Za-z]{2})?(?:-[\w]+)?$")
LANGUAGES = ("en", "fr")  # the order in which columns of several languages are read
IN_PARENTHESES = re.compile(r"\s*\((?!\d+\))[^)]*\)")
# A number as spreadsheets show long ones, 3.01762E+12: its last digits are lost.
ROUNDED_NUMBER = re.compile(r"\d(?:[.,]\d+)?E\+?\d{1,3}", re.IGNORECASE)
COMPLETE = 0.98  # share of rows with a value, and of distinct values, from which a column holds ids
# Columns that describe the product itself; prices, addresses, dates and counts do not.
ATTRIBUTE_NAMES = frozenset(
    {
        *("brand", "brands", "marque", "colour", "color", "couleur", "colours", "colors", "material"),
        *("materials", "matiere", "size", "taille", "gender", "genre", "fabric", "tissu", "pattern"),
        *("motif", "style", "weight", "poids", "capacity", "capacite", "dimensions", "shape", "forme"),
        *("flavour", "flavor", "parfum", "ingredients", "ingredients_text", "labels", "packaging"),
        *("emballage", "origin", "origins", "origine", "manufacturer", "fabricant", "model", "modele"),
        *("season", "saison", "usage", "sub_brand", "product_line", "age_group", "sleeve", "neck"),
        *("scent", "volume", "quantity", "quantite"),
    }
)
# Fields by the role names that users type.
ROLES: Mapping[str, str] = {("id" if field == "external_id" else field): field for field in FIELD_NAMES}
TEXT_FIELDS = ("name", "description", "image")
ALL_OTHERS = "*"
JOINED = "+"  # between the columns of one path

Sample = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each field that has one, and the columns that become attributes.

    ``fallbacks`` are further columns of a field: read where the first one is empty, of images always. The columns of
    ``category_path`` are the levels of one path, from the top; there are none where one column has the whole path.
    Variants may name their parent by any of its ``reference_ids``.
    """

    fields: Mapping[str, str]
    attributes: tuple[str, ...]
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    category_path: tuple[str, ...] = ()
    reference_ids: tuple[str, ...] = ()
    platform: Platform | None = None

    def used(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        others = (column for columns in self.fallbacks.values() for column in columns)
        single = (column for name, column in self.fields.items() if name != "category" or not self.category_path)
        columns = (*single, *self.category_path, *others, *self.reference_ids, *self.attributes)
        return tuple(dict.fromkeys(columns))


def detect_columns(
    header: Sequence[str],
    chosen: Mapping[str, str] | None = None,
    declared: Mapping[str, str] | None = None,
    sample: Sample = (),
    *,
    separate: bool = False,
) -> Columns:
    """Find the fields: first the ``chosen`` columns (by field), then common names, then ``declared`` columns.

    A chosen column is named as in the file, or with other case and accents; an empty one says that the file has no
    such column. ``attributes`` takes several with commas between them, or ``*`` for all columns that are left;
    ``category`` takes several levels of one path with ``+`` between them. A ``declared`` column, as the file itself
    says it, serves no other field. ``sample`` are the values of the first records, by column. Where variants are to be
    listings of their own (``separate``), what they share with their parent is no id.

    Raises InvalidCatalogue, which names the columns of the file, when a chosen one is unknown, when there is neither
    a name, nor a description, nor an image, or when a column looks like the name but is not called so.
    """
    chosen, declared = chosen or {}, declared or {}
    for role in chosen:
        if role not in FIELD_NAMES:
            raise unknown_role(role)
    by_name = _columns_by_name(header)
    platform = recognise_platform(by_name)
    category_path = _chosen_path(header, chosen.get("category", ""))
    fields = {
        role: _find_one(header, text)
        for role, text in chosen.items()
        if role != "attributes" and text.strip() and not (role == "category" and category_path)
    }
    asked = chosen.get("attributes")
    attributes = () if asked is None or asked.strip() == ALL_OTHERS else tuple(_find_several(header, asked))
    fallbacks: dict[str, tuple[str, ...]] = {}
    if "category" not in chosen:
        category_path = _path_columns(by_name, sample)
    for role, names in FIELD_NAMES.items():
        if role in chosen:
            continue
        taken = {*fields.values(), *attributes, *(c for f, c in declared.items() if f != role)}
        own_names = platform.fields.get(role, ()) if platform else ()
        candidates = [column for name in (*own_names, *names) for column in by_name.get(name, ())]
        candidates += [declared[role]] if role in declared else []
        free = [column for column in dict.fromkeys(candidates) if column not in taken]
        if role == "parent":
            # The parent may be the id as well: rows of one product then share it.
            free = [column for column in dict.fromkeys(candidates) if _has_values(sample, column)][:1]
        elif role == "external_id":
            parents = platform.fields.get("parent", ()) if platform and not separate else ()
            shared = {column for name in parents for column in by_name.get(name, ())}
            free, fallbacks[role] = _choose_ids(free, sample, shared)
        elif role == "category" and category_path:
            free = [category_path[0]]
        else:
            free, fallbacks[role] = _choose_filled(role, free, sample)
        if free:
            fields[role] = free[0]
    if category_path:
        fields["category"] = JOINED.join(category_path)
    if "image" not in chosen:
        numbered = _more_images(by_name, "")
        if "image" not in fields and numbered and numbered[0] not in fields.values():
            fields["image"] = numbered[0]
    if "image" not in chosen and "image" in fields:
        fallbacks["image"] = _more_images(by_name, fields["image"])
    fallbacks = {role: columns for role, columns in fallbacks.items() if columns}
    references = tuple(ids_of(header)) if "parent" in fields else ()
    columns = Columns(fields, (), fallbacks, category_path, references, platform)
    others = [name for name in header if name not in columns.used()]
    if not any(role in fields for role in TEXT_FIELDS):
        example = header[0] if header else "title"
        advice = _hint(others, sample) or f"say which is which, such as --columns name={example}"
        raise InvalidCatalogue(
            f"no column holds a name, a description or an image; columns are: {_listed(header)}; {advice}"
        )
    if "name" not in fields and "name" not in chosen and (likely := _looks_like_name(others, sample)):
        raise InvalidCatalogue(
            f"no column is called a name, but '{likely}' looks like one; say which it is: --columns name={likely}, or "
            "--columns name= where the file has no names"
        )
    if asked is None:
        attributes = tuple(name for name in others if not ATTRIBUTE_NAMES.isdisjoint(_keys_of(name)))
    elif asked.strip() == ALL_OTHERS:
        attributes = tuple(others)
    return replace(columns, attributes=attributes)


def ids_of(header: Sequence[str]) -> list[str]:
    """The columns of a header that are called like an id, the likeliest first."""
    by_name = _columns_by_name(header)
    return [column for name in FIELD_NAMES["external_id"] for column in by_name.get(name, ())]


def is_known_name(name: str) -> bool:
    """Whether a cell is the name of a field, in the common words or those of a platform."""
    return len(name) <= 80 and not _known_names().isdisjoint(_keys_of(name))


@cache
def _known_names() -> frozenset[str]:
    of_platforms = (name for platform in PLATFORMS for names in platform.fields.values() for name in names)
    marks = (mark for platform in PLATFORMS for mark in platform.marks)
    common = (name for names in FIELD_NAMES.values() for name in names)
    return frozenset((*common, *of_platforms, *marks, *ATTRIBUTE_NAMES, *SUBCATEGORY_NAMES, *TOP_CATEGORY_NAMES))


def _keys_of(name: str) -> list[str]:
    """The plain names of a column: as it is, without parentheses, without its language."""
    bare = IN_PARENTHESES.sub("", name)
    return list(dict.fromkeys((plain(name), plain(bare), plain(LOCALE.sub("", name)), plain(name.replace(".", "_")))))


def _columns_by_name(header: Sequence[str]) -> dict[str, list[str]]:
    """The columns by their plain names; those of several languages in the order of LANGUAGES."""
    ranked: dict[str, list[tuple[int, int, str]]] = {}
    for position, column in enumerate(header):
        locale = LOCALE.search(column)
        language = locale[1] if locale else ""
        rank = LANGUAGES.index(language) + 1 if language in LANGUAGES else len(LANGUAGES) + 1 if language else 0
        for key in _keys_of(column):
            exact = 0 if key == plain(column) else 1
            ranked.setdefault(key, []).append((rank + exact, position, column))
    return {key: [column for *_, column in sorted(columns)] for key, columns in ranked.items() if key}


def _chosen_path(header: Sequence[str], text: str) -> tuple[str, ...]:
    if JOINED not in text or text in header:
        return ()
    return tuple(_find_one(header, part) for part in text.split(JOINED) if part.strip())


def _path_columns(by_name: Mapping[str, Sequence[str]], sample: Sample) -> tuple[str, ...]:
    """The columns that are the levels of one path; none where one column has it all."""
    below = [columns[0] for name in SUBCATEGORY_NAMES if (columns := by_name.get(name))]
    top = next((columns[0] for name in TOP_CATEGORY_NAMES if (columns := by_name.get(name))), None)
    if below and top and top not in below:
        types = [columns[0] for name in TYPE_NAMES if (columns := by_name.get(name))]
        return tuple(dict.fromkeys((top, *below, *types[:1])))
    levels = sorted(
        (int(found[1]), columns[0]) for name, columns in by_name.items() if (found := LEVEL_NAME.fullmatch(name))
    )
    filled = tuple(dict.fromkeys(column for _, column in levels if not sample or _has_values(sample, column)))
    if len(filled) > 1 or (filled and not any(name in by_name for name in FIELD_NAMES["category"])):
        return filled
    return ()


def _more_images(by_name: Mapping[str, Sequence[str]], first: str) -> tuple[str, ...]:
    numbered = sorted(
        (int(found[1]), column)
        for name, columns in by_name.items()
        if (found := IMAGE_NUMBER.fullmatch(name))
        for column in columns
    )
    named = [column for name in MORE_IMAGES for column in by_name.get(name, ())]
    columns = (column for column in (*named, *(column for _, column in numbered)) if column != first)
    return tuple(dict.fromkeys(columns))


def _values(sample: Sample, column: str) -> list[str]:
    return [text for record in sample if (text := text_of(record.get(column)))]


def _has_values(sample: Sample, column: str) -> bool:
    return not sample or any(text_of(record.get(column)) or _is_composite(record.get(column)) for record in sample)


def _is_composite(value: object) -> bool:
    return isinstance(value, (list, Mapping, bytes)) and bool(value)


def _choose_ids(
    candidates: Sequence[str], sample: Sample, parents: Collection[str]
) -> tuple[list[str], tuple[str, ...]]:
    """The column of ids, and those to take an id from where it is empty, as long as ids stay unique."""
    if not sample:
        return list(candidates[:1]), ()
    values = {column: _values(sample, column) for column in candidates}
    whole = {c: [text for text in texts if not ROUNDED_NUMBER.fullmatch(text)] for c, texts in values.items()}
    usable = [
        column
        for column in candidates
        if len(whole[column]) >= COMPLETE * len(sample)
        and (column in parents or len(set(whole[column])) >= COMPLETE * len(whole[column]))
    ]
    filled = [column for column in candidates if whole[column]]
    best = usable[:1] or sorted(filled, key=lambda column: -len(set(whole[column])))[:1]
    if not best:
        return [], ()
    if candidates[0] in filled and not usable:
        best = [candidates[0]] if len(whole[candidates[0]]) >= 0.5 * len(sample) else best
    if len(whole[best[0]]) == len(sample):
        return best, ()
    known = set(whole[best[0]])
    others = [c for c in filled if c != best[0] and c not in parents and known.isdisjoint(whole[c])]
    return best, tuple(c for c in others if len(set(whole[c])) == len(whole[c]))


def _choose_filled(role: str, candidates: Sequence[str], sample: Sample) -> tuple[list[str], tuple[str, ...]]:
    """The first candidate with values; for texts the others with values are read where it is empty."""
    if not sample:
        return list(candidates[:1]), ()
    filled = [column for column in candidates if _has_values(sample, column)]
    if role == "category":
        # Numbers are the ids of categories, which say nothing by themselves.
        named = [c for c in filled if not _values(sample, c) or not all(text.isdigit() for text in _values(sample, c))]
        filled = named or filled
    if not filled:
        return list(candidates[:1]), ()
    return filled, tuple(filled[1:]) if role in ("name", "description") else ()


def _looks_like_name(columns: Sequence[str], sample: Sample) -> str | None:
    """The first column of short texts that differ from row to row and are neither numbers, codes nor addresses."""
    return next((column for column, kind in _kinds(columns, sample) if kind == "name"), None)


def _hint(columns: Sequence[str], sample: Sample) -> str:
    found = [f"{kind}={column}" for column, kind in _kinds(columns, sample)]
    return f"by their content they may be: --columns {','.join(found[:6])}" if found else ""


def _kinds(columns: Sequence[str], sample: Sample) -> Iterator[tuple[str, str]]:
    """The roles that columns may have by their content, one column for each."""
    seen: set[str] = set()
    for column in columns:
        values = _values(sample, column)
        kind = _kind(values) if len(values) >= max(2, len(sample) // 2) else None
        if kind and kind not in seen:
            seen.add(kind)
            yield column, kind


def _kind(values: Sequence[str]) -> str | None:
    def share(fits: Callable[[str], bool]) -> float:
        return sum(map(fits, values)) / len(values)

    distinct = len(set(values)) / len(values)
    if share(lambda text: bool(ADDRESS.match(text))) > 0.8:
        is_image = (
            share(lambda text: bool(re.search(r"\.(jpe?g|png|webp|gif|avif)\b|image|photo|cdn", text, re.I))) > 0.5
        )
        return "image" if is_image else None
    if share(lambda text: bool(re.search(r"\S\s*(>|»|›|/)\s*\S", text))) > 0.8:
        return "category"
    if share(lambda text: bool(re.fullmatch(r"[\d.,\s%€$£+-]+", text))) > 0.5:
        return None
    if share(lambda text: " " not in text) > 0.8:
        return "id" if distinct > COMPLETE and share(lambda text: any(c.isdigit() for c in text)) > 0.8 else None
    length = sum(map(len, values)) / len(values)
    if distinct > 0.5:
        return "name" if length <= 120 else "description"
    return None


def unknown_role(role: str) -> InvalidCatalogue:
    """The error for a role that does not exist; it lists the roles."""
    return InvalidCatalogue(f"there is no role {role!r}; roles are: {', '.join(ROLES)}")


@lru_cache(maxsize=100_000)
def plain(name: str) -> str:
    """A column's name without case, accents and punctuation: ``Catégorie (1)`` is ``categorie_1``."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return "_".join("".join(c if c.isalnum() or c == "_" else " " for c in bare.lower()).split())


def unique_names(names: Sequence[str]) -> list[str]:
    """The names of a header, each once and none empty: ``name``, ``name (2)``, ``column 3``."""
    unique: dict[str, None] = {}
    occurrences: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        candidate = base = name.strip().lstrip("\ufeff").strip() or f"column {number}"
        while candidate in unique:
            occurrences[base] = occurrences.get(base, 1) + 1
            candidate = f"{base} ({occurrences[base]})"
        unique[candidate] = None
    return list(unique)


def _find_one(header: Sequence[str], text: str) -> str:
    for same in (lambda column: column == text, lambda column: plain(column) == plain(text)):
        found = [column for column in header if same(column)]
        if len(found) == 1:
            return found[0]
    raise InvalidCatalogue(f"there is no column {text.strip()!r}; columns are: {_listed(header)}")


def _find_several(header: Sequence[str], text: str) -> Sequence[str]:
    if text in header:
        return (text,)
    return tuple(dict.fromkeys(_find_one(header, part) for part in text.split(",") if part.strip()))


def _listed(header: Sequence[str]) -> str:
    text = ", ".join(header[:30]) or "none"
    return text if len(text) < 600 else text[:600] + "…"


# A comma ends a pair only where another role follows: columns may have commas in their names.
NEXT_PAIR = re.compile(r",(?=[^,=]*=)")
EXAMPLE = "name=title,description=body,category=path,image=photo,id=sku"


def read_choices(texts: Sequence[str]) -> dict[str, str]:
    """Chosen columns by field, as ``open_catalogue`` takes them.

    ``role=`` says that the file has no such column; ``attributes`` may be given several times, or several columns.
    Raises InvalidCatalogue when a role does not exist (it lists the roles), names no column or comes twice.
    """
    chosen: dict[str, str] = {}
    for pair in (pair for text in texts for pair in NEXT_PAIR.split(text)):
        role, equals, column = pair.partition("=")
        role = role.strip().lower()
        if not equals:
            raise InvalidCatalogue(f"{pair!r} is not ROLE=COLUMN; write it like {EXAMPLE}")
        field = ROLES.get(role) or (role if role in ROLES.values() else None)
        if field is None:
            raise unknown_role(role)
        if field == "attributes" and chosen.get(field):
            column = f"{chosen[field]},{column}"
        elif field in chosen:
            raise InvalidCatalogue(f"two columns are given for {role}: {chosen[field]!r} and {column!r}; choose one")
        chosen[field] = column
    return chosen
