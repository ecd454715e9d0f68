"""Model versions of an earlier version answer as before, are promoted, rolled back and trained on."""

from __future__ import annotations

from typing import Any

from tests.integration.upgrade.earlier_version import BASELINE, UpgradedStack, assert_contains, model_answers


def test_model_versions_answer_as_before(upgraded: UpgradedStack, expected: Any) -> None:
    found = model_answers(upgraded.context, expected["products"])
    assert_contains(found, expected["answers"])


def test_the_command_categorise_asks_the_active_version(upgraded: UpgradedStack, expected: Any) -> None:
    product = next(product for product in expected["products"] if product["photo"] and product["name"])
    recorded = expected["answers"]["1"][expected["products"].index(product)]
    words = ["--name", product["name"], "--description", product["description"], "--taxonomy", "market"]
    words += [word for pair in product["attributes"].items() for word in ("--attribute", "=".join(pair))]
    answer = upgraded.command("categorise", *words, "--image", str(BASELINE / product["photo"]))
    assert answer["model"] == {"id": 1, "number": 1}
    assert_contains(answer, {name: recorded[name] for name in ("status", "category", "confidence", "reason")})


def test_a_candidate_is_promoted_and_rolled_back(upgraded: UpgradedStack, expected: Any) -> None:
    upgraded.work_off_jobs()
    before = upgraded.decisions()
    promoted = upgraded.call("POST", "/v1/models/2/promote")
    assert promoted["requeued"] == expected["after_promotion"]["requeued"]
    upgraded.work_off_jobs()
    after = upgraded.decisions()
    assert_contains(after, expected["after_promotion"]["decided"], "after_promotion")
    assert after != before
    assert upgraded.call("POST", "/v1/models/2/rollback") == {"id": 1}
    upgraded.work_off_jobs()
    # Stored decisions of version 1 show again; the listing whose job had been given up was decided meanwhile.
    known = {name: decided for name, decided in before.items() if decided[0] != "pending"}
    assert len(known) == len(before) - 1
    assert_contains(upgraded.decisions(), known, "rolled back")


def test_a_training_continues_from_the_earlier_version(upgraded: UpgradedStack) -> None:
    training = upgraded.call("POST", "/v1/trainings", {"taxonomy": "market"})
    upgraded.work_off_jobs()
    ended = upgraded.call("GET", f"/v1/trainings/{training['id']}")
    assert ended["state"] == "done", ended
    made = upgraded.call("GET", f"/v1/models/{ended['model_id']}")
    assert (made["number"], made["status"]) == (3, "candidate")
    first = upgraded.call("GET", "/v1/models/1")
    # The photo extractor is taken over, not fitted again.
    assert made["manifest"]["learned_on"] == first["manifest"]["learned_on"]
    assert made["metrics"]["fused"]["accuracy"] > 0.6
