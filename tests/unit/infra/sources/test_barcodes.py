"""Barcodes by their check digits, held against a library that knows all kinds of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from infra.sources.product_normalisation import InvalidBarcode, normalise_barcode


@given(st.integers(100, 10**14 - 1))
def test_a_number_is_a_barcode_where_its_last_digit_fits(number: int) -> None:
    digits = str(number)
    padded = digits.zfill(8 if len(digits) <= 8 else 13)
    whole = padded[:-1] + ean.calc_check_digit(padded[:-1])
    assert normalise_barcode(whole) == whole
    try:
        assert normalise_barcode(number) == padded
        assert ean.is_valid(padded)
    except InvalidBarcode:
        assert not ean.is_valid(padded)
