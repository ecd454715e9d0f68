"""Exports of shop platforms and product feeds: how each is recognised, and the columns of its fields.

A platform is a row of the table. Its names come before the common ones of ``column_detection``; the names are those of
``plain``: lower case, without accents and punctuation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Platform:
    """One kind of export.

    It is recognised by ``marks``, of which a header must have all. ``parent`` names the columns whose value variants of
    one product share; ``comma_parts_paths`` and ``list_is_path`` are those of ``CategoryReader``.
    """

    name: str
    marks: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    comma_parts_paths: bool = False
    list_is_path: bool = False


PLATFORMS = (
    Platform(
        "WooCommerce",
        ("type", "sku", "categories", "parent"),
        {"external_id": ("id", "sku"), "parent": ("parent",), "description": ("description", "short_description")},
        comma_parts_paths=True,
    ),
    Platform(
        "WooCommerce (en français)",
        ("type", "ugs", "categories"),
        {"external_id": ("id", "ugs"), "parent": ("parent",), "description": ("description", "description_courte")},
        comma_parts_paths=True,
    ),
    Platform(
        "WooCommerce",
        ("type", "sku", "categories", "id"),
        {"external_id": ("id", "sku"), "description": ("description", "short_description")},
        comma_parts_paths=True,
    ),
    Platform(
        "Shopify",
        ("handle", "title", "option1_value"),
        {
            "external_id": ("handle",),
            "parent": ("handle",),
            "category": ("product_category", "type", "standard_product_type", "custom_product_type"),
            "description": ("body_html", "body"),
            "image": ("image_src", "variant_image"),
        },
    ),
    Platform(
        "Shopify",
        ("handle", "title", "body_html", "type"),
        {
            "external_id": ("handle",),
            "parent": ("handle",),
            "category": ("product_category", "type"),
            "image": ("image_src",),
        },
    ),
    Platform(
        "PrestaShop",
        ("name", "categories_x_y_z"),
        {
            "external_id": ("product_id", "id", "reference", "ean13"),
            "category": ("categories_x_y_z",),
            "description": ("description", "summary"),
            "image": ("image_urls_x_y_z",),
        },
        list_is_path=True,
    ),
    Platform(
        "Magento",
        ("sku", "attribute_set_code", "categories"),
        {
            "external_id": ("sku",),
            "category": ("categories",),
            "description": ("description", "short_description"),
            "image": ("base_image", "additional_images"),
        },
    ),
    Platform(
        "Medusa",
        ("product_handle", "product_title"),
        {
            "external_id": ("product_id", "product_handle", "variant_id", "variant_sku"),
            "parent": ("product_handle",),
            "name": ("product_title",),
            "description": ("product_description", "product_subtitle"),
            "category": ("product_category_1", "product_categories", "product_type"),
            "image": ("product_thumbnail",),
        },
    ),
    Platform(
        "Etsy",
        ("title", "description", "currency_code", "image1"),
        {"external_id": ("listing_id", "sku"), "category": ("section", "taxonomy_path", "tags"), "image": ("image1",)},
    ),
    Platform(
        "Akeneo",
        ("sku", "family", "categories"),
        {"external_id": ("sku", "identifier"), "parent": ("parent",), "category": ("categories", "family")},
    ),
    Platform(
        "Akeneo",
        ("identifier", "family", "categories"),
        {"external_id": ("identifier",), "parent": ("parent",), "category": ("categories", "family")},
    ),
    Platform(
        "commercetools",
        ("producttype", "variantid", "sku"),
        {
            "external_id": ("key", "id", "sku"),
            "parent": ("key", "id"),
            "category": ("categories", "category", "producttype"),
        },
    ),
    Platform(
        "BigCommerce",
        ("product_name", "product_code_sku"),
        {
            "external_id": ("product_id", "product_code_sku"),
            "category": ("category", "category_string", "categories"),
            "image": ("product_image_url_1", "product_image_file_1"),
        },
    ),
    Platform(
        "Amazon",
        ("item_sku", "item_name"),
        {
            "external_id": ("item_sku",),
            "parent": ("parent_sku",),
            "category": ("item_type_keyword", "item_type", "recommended_browse_nodes", "feed_product_type"),
            "image": ("main_image_url", "other_image_url"),
        },
    ),
    Platform(
        "a product feed of Google or Facebook",
        ("id", "title", "image_link"),
        {
            "external_id": ("id",),
            "parent": ("item_group_id",),
            "category": ("product_type", "google_product_category", "fb_product_category"),
            "image": ("image_link", "additional_image_link"),
        },
        comma_parts_paths=True,
    ),
    Platform(
        "Open Food Facts",
        ("code", "product_name", "categories", "brands"),
        {
            "external_id": ("code",),
            "category": ("categories", "categories_en", "main_category_en"),
            "description": ("generic_name", "ingredients_text"),
        },
        list_is_path=True,
    ),
    Platform(
        "Open Food Facts",
        ("code", "product_name", "categories_tags"),
        {"external_id": ("code",), "category": ("categories", "categories_tags")},
        list_is_path=True,
    ),
)


def recognise_platform(names: Collection[str]) -> Platform | None:
    """The first platform of the table whose marks are all among the plain names of a header."""
    present = set(names)
    return next((platform for platform in PLATFORMS if present.issuperset(platform.marks)), None)
