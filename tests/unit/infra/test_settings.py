"""Settings are read from the environment, and documented one by one."""

from __future__ import annotations

import re

import pytest

from infra.settings import Settings, read_settings, variable
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import FlowPolicy, RetryPolicy
from tests.architecture.tree import ROOT

URL = {"DATABASE_URL": "postgresql://nowhere/none"}
ROW = re.compile(r"\| `(\w+)` \| ([^|]+) \| (.+) \|")


def test_every_setting_is_documented_with_its_description() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = {found[1]: found[3] for found in map(ROW.fullmatch, table.splitlines()) if found}
    assert documented == {variable(name): field.description for name, field in Settings.model_fields.items()}


def test_a_setting_is_read_from_its_variable() -> None:
    settings = read_settings({**URL, "RAYON_BATCH_LIMIT": "7", "PUBLIC_URL": "https://x.example"})
    assert (settings.batch_limit, settings.public_url) == (7, "https://x.example")
    assert read_settings({**URL, "RAYON_BATCH_LIMIT": ""}).batch_limit == Settings(database_url="x").batch_limit


def test_bad_settings_are_named_with_their_problem() -> None:
    with pytest.raises(InvalidInput, match="DATABASE_URL: Field required"):
        read_settings({})
    with pytest.raises(InvalidInput, match=r"RAYON_LEASE: .*greater than 0; RAYON_BATCH_LIMIT: .*integer"):
        read_settings({**URL, "RAYON_LEASE": "0", "RAYON_BATCH_LIMIT": "many"})


@pytest.mark.parametrize("off", ["none", "off", " no ", "0", ""])
def test_background_weights_can_be_switched_off(off: str) -> None:
    settings = Settings(database_url="x", fetch_weights=off)
    assert settings.weights_to_fetch() == ()
    assert Settings(database_url="x", fetch_weights="VGG16, vgg16,squeezenet").weights_to_fetch() == (
        "vgg16",
        "squeezenet",
    )


def test_lists_of_names_are_in_order_without_repetition() -> None:
    settings = Settings(database_url="x", source_languages="fr, EN,,fr", photo_extractors="")
    assert settings.source_language_codes() == ("fr", "en")
    assert settings.photo_extractors_wanted() == ()


def test_policies_have_the_defaults_of_the_settings() -> None:
    settings = Settings(database_url="x")
    assert settings.retry_policy() == RetryPolicy()
    assert settings.flow_policy() == FlowPolicy()
