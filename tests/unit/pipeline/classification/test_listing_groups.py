"""Groups of listings of one product: what joins them, and what is a template or a placeholder of the catalogue."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from infra.sample.generator import generate
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.variant_names import product_words
from pipeline.domain.listing import Evidence, Example
from pipeline.features.photo_hash import near_equal_pairs, perceptual_hash

TEXT = "A long description of a garment that keeps you warm in winter and looks good all year"


def example(key: int, name: str = "", photo: bytes | None = None, category: str = "A") -> Example:
    return Example(str(key), Evidence(name, photo=photo), category)


def test_equal_photos_and_equal_texts_share_a_group_also_in_chains() -> None:
    examples = [
        example(0, "one", b"p"),
        example(1, "two", b"p"),
        example(2, " Two ", b"q"),
        example(3, "three", b"r"),
        *(example(n, f"more {n}") for n in range(4, 20)),
    ]
    found = group_listings(examples, ["A"] * 20, 5)
    assert len({*found[:3]}) == 1
    assert len(set(found)) == 18


def test_listings_without_text_or_photo_have_groups_of_their_own() -> None:
    assert len(set(group_listings([example(n) for n in range(5)], ["A"] * 5, 5))) == 5


def test_the_text_of_a_whole_category_does_not_group() -> None:
    examples = [example(n, "Golden apple") for n in range(20)]
    assert len(set(group_listings(examples, ["A"] * 20, 5))) == 20


def test_a_placeholder_photo_does_not_group_but_that_of_one_product_does() -> None:
    kinds = ["A", "B", "C"] * 7
    placeholder = [example(n, f"name {n}", b"no photo yet", kind) for n, kind in enumerate(kinds)]
    assert len(set(group_listings(placeholder, kinds, 5))) == 21
    few = group_listings(placeholder[:10], kinds[:10], 5)
    assert len(set(few)) == 1, "a few may be one product in several categories"
    assert len(set(group_listings(placeholder, ["A", "B", "A"] * 7, 5))) == 1


def listing(key: int, name: str, description: str = "", **more: object) -> Example:
    return Example(str(key), Evidence(name, description), "A", **more)  # type: ignore[arg-type]


def groups_of(examples: list[Example], folds: int = 5) -> int:
    return len(set(group_listings(examples, ["A"] * len(examples), folds).tolist()))


def test_variants_with_one_description_share_a_group_whatever_their_number() -> None:
    sizes = ["XS", "S", "M", "L", "XL", "2XL", "36", "38", "40", "42"]
    shirts = [listing(n, f"Linen shirt blue {size}", TEXT) for n, size in enumerate(sizes)]
    others = [listing(90 + n, f"Thing number {chr(97 + n)}", f"{TEXT} {chr(97 + n)} {n}") for n in range(4)]
    assert groups_of([*shirts, *others]) == 5


def test_boilerplate_that_different_products_share_joins_none_of_them() -> None:
    woods = ("oak", "pine", "teak", "ash", "elm", "beech", "birch", "cedar", "maple", "walnut", "cherry", "fir")
    nouns = [f"{wood} {noun}" for wood in woods for noun in ("lamp", "table", "rug", "vase", "stool", "shelf")]
    assert groups_of([listing(n, noun, TEXT) for n, noun in enumerate(nouns)]) == len(nouns)


def test_a_parent_joins_its_variants_though_nothing_else_does() -> None:
    examples = [listing(n, f"name {chr(97 + n)}", parent="p" if n < 3 else None) for n in range(10)]
    found = group_listings(examples, ["A"] * 10, 5)
    assert len(set(found[:3].tolist())) == 1
    assert len(set(found.tolist())) == 8


def test_names_that_differ_in_size_colour_pack_or_number_share_a_group() -> None:
    names = ["Brass hook, pack of 2", "Brass hook, pack of 4", "Brass hook (red)"]
    others = [f"Item {chr(97 + n)}{chr(98 + n)}zz" for n in range(20)]
    found = group_listings([listing(n, name) for n, name in enumerate([*names, *others])], ["A"] * 23, 5)
    assert len(set(found[:3].tolist())) == 1
    assert len(set(found.tolist())) == 21


def test_nearly_equal_texts_share_a_group() -> None:
    long = " ".join(f"word{n}" for n in range(200))
    examples = [
        listing(0, "First", long),
        listing(1, "First", long.replace("word40 ", "")),
        listing(2, "Other", "x " * 9),
    ]
    more = [listing(n, f"Unlike {n}", " ".join(f"w{n}x{m}" for m in range(40))) for n in range(3, 20)]
    found = group_listings([*examples, *more], ["A"] * 20, 5)
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 19


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Linen shirt - Navy / XL", ["linen", "shirt"]),
        ("Chemise en lin bleu taille 42", ["chemis", "en", "lin"]),
        ("Shampoo 250 ml (Pack of 2)", ["shampoo"]),
        ("Café moulu 1kg", ["cafe", "moulu"]),
        ("Watch AB123 for men", ["watch", "ab123", "for", "men"]),
    ],
)
def test_words_that_name_the_product(name: str, kept: list[str]) -> None:
    assert product_words(name) == kept


PHOTOS = [content for each in generate(40, seed=11) if (content := each.jpeg())][:20]


def copy(content: bytes, side: int, quality: int) -> bytes:
    """A photo made smaller and saved again."""
    stream = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.thumbnail((side, side))
        image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def test_copies_of_a_photo_have_nearly_equal_hashes_and_other_photos_have_not() -> None:
    hashes = [perceptual_hash(each) for each in PHOTOS]
    copies = [perceptual_hash(copy(PHOTOS[3], 120, 60)), perceptual_hash(copy(PHOTOS[7], 150, 80))]
    assert near_equal_pairs([*hashes, *copies]) == [(3, 20), (7, 21)]


def test_a_photo_that_cannot_be_read_or_shows_one_colour_has_no_hash() -> None:
    blank = io.BytesIO()
    Image.new("RGB", (50, 50), "white").save(blank, "PNG")
    assert perceptual_hash(b"no photo") is None
    assert perceptual_hash(blank.getvalue()) is None


def test_copies_of_a_photo_share_a_group() -> None:
    first, second = perceptual_hash(PHOTOS[1]), perceptual_hash(copy(PHOTOS[1], 130, 70))
    examples = [listing(0, "one", photo_hash=first), listing(1, "two", photo_hash=second)]
    examples += [listing(n, f"x{n}y{n}", photo_hash=perceptual_hash(PHOTOS[n])) for n in range(2, 9)]
    found = group_listings(examples, ["A"] * 9, 5)
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 8
