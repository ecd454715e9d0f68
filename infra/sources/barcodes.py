"""Barcodes: GTIN-8, 12, 13 and 14 (GS1 General Specifications, section 7.9) in one normal form."""

from __future__ import annotations

from pipeline.domain.errors import InvalidInput

DIGIT_VALUES = bytes(max(0, byte - ord("0")) for byte in range(256))  # by the byte of an ASCII digit


class InvalidBarcode(InvalidInput):
    """A text that is no barcode; the message says why."""


def normalise_barcode(given: object) -> str:
    """The barcode as product databases write it: 8 or 13 digits, or 14 where the first of them is not 0.

    Leading zeros are not part of the number, so ``34000460625`` and ``0034000460625`` are the same product. Raises
    InvalidBarcode for letters, for a length that no barcode has, and for a wrong check digit.
    """
    text = str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    if not digits:
        raise InvalidBarcode(f"the barcode {text[:40]!r} is not made of digits" if text else "there is no barcode")
    if len(digits) > 14:
        raise InvalidBarcode(f"the barcode {text[:40]} has {len(text)} digits, at most 14 are allowed")
    code = digits.zfill(8 if len(digits) <= 8 else 13)
    if not _check_digit_fits(code):
        raise InvalidBarcode(f"the barcode {text} is not valid: its last digit does not fit the others")
    return code


def _check_digit_fits(code: str) -> bool:
    """Whether the last digit fits: from it to the left, digits count once and three times in turn."""
    digits = code.encode().translate(DIGIT_VALUES)
    return (sum(digits[-1::-2]) + 3 * sum(digits[-2::-2])) % 10 == 0
