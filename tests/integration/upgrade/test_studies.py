"""Studies of an earlier version are served, rendered again and continued."""

from __future__ import annotations

import json
from typing import Any

from pipeline.domain.study_report import StudyReport
from pipeline.study_report.html_report import render
from tests.integration.upgrade.earlier_version import UpgradedStack, assert_contains


def test_a_study_is_served_and_its_report_rendered_again(upgraded: UpgradedStack, expected: Any) -> None:
    report = upgraded.call("GET", "/v1/studies/1/report")
    assert_contains(report, expected["report"], "report", 1e-9)
    for name in ("report.en.html", "report.fr.html", "tables/trials.csv", "figures/matrix_tfidf.en.png"):
        assert upgraded.ask("GET", f"/v1/studies/1/files/{name}").status_code == 200, name
    table = upgraded.api.get(
        "/v1/studies/1/wrong-shelves.csv", headers={"Authorization": f"Bearer {upgraded.keys['admin']}"}
    )
    assert len(table.text.splitlines()) == 1 + len(expected["reads"]["wrong_shelves"])

    read = StudyReport.from_json(report)
    files = render(read, lambda _row: None)
    stored = upgraded.ask("GET", "/v1/studies/1/files/tables/trials.csv").content
    assert files["tables/trials.csv"] == stored
    for language in ("en", "fr"):
        page = files[f"report.{language}.html"].decode()
        assert f'lang="{language}"' in page
        for category in report["categories"]:
            assert category in page
    assert json.loads(json.dumps(read.as_json())) == report


def test_the_trend_of_a_new_study_begins_with_the_earlier_one(upgraded: UpgradedStack, expected: Any) -> None:
    upgraded.work_off_jobs()
    asked = {"taxonomy": "market", "extractors": ["tfidf"], "seeds": 1, "supervised": False}
    study = upgraded.call("POST", "/v1/studies", asked)
    upgraded.work_off_jobs()
    assert upgraded.call("GET", f"/v1/studies/{study['id']}")["status"] == "done"
    trend = upgraded.call("GET", f"/v1/studies/{study['id']}/report")["trend"]
    assert trend[0]["verdict"] == expected["report"]["verdict"]
    assert [one["study_id"] for one in trend] == [1, 2]
