"""API keys: which secrets are accepted."""

from __future__ import annotations

import pytest

from pipeline.domain.api_key import PREFIX, SECRET_BYTES, check_secret, new_secret
from pipeline.domain.errors import InvalidInput


def test_a_new_secret_and_one_of_just_enough_characters_are_accepted() -> None:
    check_secret(new_secret())
    check_secret(PREFIX + "x" * SECRET_BYTES)


@pytest.mark.parametrize("secret", ["", PREFIX, PREFIX + "x" * (SECRET_BYTES - 1), "x" * 100])
def test_a_secret_that_is_short_or_begins_otherwise_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput, match=f"starts with {PREFIX} and has at least {SECRET_BYTES}"):
        check_secret(secret)
