"""The files of a report: complete, self-contained, harmless, and right when parts are missing."""

from __future__ import annotations

import csv
import io
import re
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from pipeline.domain.study import file_type
from pipeline.domain.study_report import StudyReport
from pipeline.study.study_steps import Photos
from pipeline.study_report import html_report
from pipeline.study_report.language import ReportLanguage
from pipeline.study_report.summary import verdict_text
from tests.unit.pipeline.study_report.report_samples import Report, believable, grocery, photo_of_row

VOID = {"meta", "link", "input", "img", "br", "rect"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }} $\\frac{1}$"


class Balanced(HTMLParser):
    """Notes elements, and refuses any that is not closed in its order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, self.getpos()


def render(report: Report, photos: Photos | None = None) -> dict[str, bytes]:
    return html_report.render(StudyReport.from_json(report), photos or photo_of_row)


# The tests that use it run in one process, where it is rendered once.
rendered_once = pytest.mark.xdist_group("a report")


@cache
def rendered() -> tuple[Report, dict[str, bytes]]:
    report = believable()
    return report, render(report)


def pages(files: dict[str, bytes]) -> dict[str, str]:
    return {name: content.decode() for name, content in files.items() if name.endswith(".html")}


def without_text_and_photos(report: Report) -> Report:
    return report | {"rows": [row | {"name": ""} for row in report["rows"]], "without_text": report["studied"]}


def without_study(report: Report) -> Report:
    return report | {"study_id": None, "rows": [row | {"listing_id": None} for row in report["rows"]], "trend": []}


def nothing_done(report: Report) -> Report:
    failed = {"ari": None, "ami": None, "v_measure": None, "silhouette": None, "accuracy": None, "status": "failed"}
    figures = {"n": None, "dimensions": None, "seconds": None, "memory": None, "reused": None, "reason": "no memory"}
    trials = [t | failed | figures for t in report["trials"]]
    clusterings = [c | dict.fromkeys(("ari", "clusters", "noise", "n", "of", "seconds")) for c in report["clusterings"]]
    clusterings = [c | {"status": "failed", "reason": "no memory"} for c in clusterings]
    empty: Report = {
        name: [] for name in ("hardest_pairs", "supervised", "learning_curve", "wrong_shelves", "findings")
    }
    return (
        report
        | empty
        | {"trials": trials, "clusterings": clusterings, "pictures": {}, "matrices": {}, "verdict": "not_feasible"}
    )


def null_figures(report: Report) -> Report:
    holes = {"ami": None, "v_measure": None, "silhouette": None, "accuracy": None, "memory": None, "reused": None}
    failed = {"accuracy": None, "macro_f1": None, "status": "failed", "reason": None, "n": None}
    return report | {
        "trials": [t | holes for t in report["trials"]],
        "supervised": [s | failed for s in report["supervised"][:1]] + report["supervised"][1:],
        "matrices": {n: m | {"recall": [None, *m["recall"][1:]]} for n, m in report["matrices"].items()},
        "wrong_shelves": [s | {"score": None, "neighbours": []} for s in report["wrong_shelves"]],
        "findings": [f | {"accuracy": None} for f in report["findings"] if f["code"].startswith("best_")],
        "trend": [s | {"best": None, "verdict": None, "fingerprint": None} for s in report["trend"]],
    }


ODD: dict[str, Report] = {
    "two categories": believable(("Yes", "No"), 60, ("tfidf", "fisher", "word2vec+fisher")),
    "one extractor": believable(extractors=("tfidf",), rows=50),
    "photos only": believable(extractors=("sift", "fisher"), rows=50),
    "names in Arabic and Chinese": believable(("ملابس الأطفال", "家居用品", "Ménage & Co"), 60, ("tfidf", "fisher")),
    "long names": believable(tuple(f"{'A very long department of things ' * 5}{i}" for i in range(5)), 60, ("tfidf",)),
    "many without parents": believable(tuple(f"Kind {i:02d}" for i in range(30)), 200, ("tfidf",)),
    "one of an earlier program": {
        k: v for k, v in believable(rows=30, extractors=("word2vec",)).items() if k not in ("clusterings", "levels")
    },
    "nothing done": nothing_done(believable(rows=30)),
    "null figures": null_figures(believable(rows=60, extractors=("tfidf", "fisher"))),
    "a file": without_study(believable(rows=60, extractors=("tfidf",))),
    "no names": without_text_and_photos(believable(rows=60, extractors=("fisher",))),
}


@rendered_once
def test_every_file_is_there_with_a_known_type() -> None:
    report, files = rendered()
    assert {f"{part}.{code}.html" for part in ("report", "body") for code in ("en", "fr")} <= set(files)
    assert {"report.css", "report.js", "photos.webp", "tables/trials.csv", "figures/trend.fr.png"} <= set(files)
    assert len([name for name in files if name.startswith("figures/map_")]) == 2 * len(report["pictures"])
    assert [name for name in files if file_type(name) is None] == []
    for name, content in files.items():
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG"), name


@rendered_once
def test_a_file_holds_everything_it_needs_and_lets_nothing_in() -> None:
    for name, page in pages(rendered()[1]).items():
        assert not re.search(r"https?://(?!www\.w3\.org)", page), name
        parsed = Balanced(page)
        assert not any(key == "style" or key.startswith("on") for key, _ in parsed.attributes), name
        references = [value or "" for key, value in parsed.attributes if key in ("src", "href")]
        if name.startswith("report"):
            assert all(r.startswith("data:") for r in references)
            assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
        else:
            assert all(r.startswith(("data:", "/studies/12/files/", "/studies/", "/listings/")) for r in references)
            assert "script" not in parsed.tags


@rendered_once
def test_marks_lead_to_listings_on_the_page_only() -> None:
    found = pages(rendered()[1])
    assert '<a href="/listings/1003" tabindex="-1"><path' in found["body.fr.html"]
    assert "/listings/" not in found["report.fr.html"]


@rendered_once
def test_other_clustering_methods_are_compared_with_k_means() -> None:
    report, files = rendered()
    found = pages(files)
    for code, noise, failed in (("en", "21\u00a0%", "failed"), ("fr", "21\u00a0%", "échec")):
        (section,) = re.findall(r'<section[^>]*"rs-clusterings".*?</section>', found[f"report.{code}.html"], re.DOTALL)
        assert section.count("<td rowspan=") == 6, "three features under two protocols"
        assert section.count(noise) == 3
        assert section.count(f"{failed} · ValueError: it cannot be") == 3
        assert section.count('class="n best"') == 6
        assert section.count("5,000" if code == "en" else "5 000") == 1, "a sample under A only"
        assert section.count("240 / 9") == 6
    lines = list(csv.DictReader(io.StringIO(files["tables/clusterings.csv"].decode())))
    assert len(lines) == len(report["clusterings"]) == 18
    assert {"method": "hdbscan", "clusters": "12.4", "noise": "0.21"}.items() <= lines[-1].items()


@rendered_once
def test_attributions_are_shown_once_below_each_part_with_listings_and_in_each_line() -> None:
    _, files = rendered()
    page = pages(files)["report.fr.html"]
    parts = re.findall(r'<section[^>]*"(rs-\w+)"(.*?)</section>', page, re.DOTALL)
    due = {part: content.count("Products by everybody &amp; co") for part, content in parts}
    assert {part: times for part, times in due.items() if times} == {"rs-explore": 1, "rs-pairs": 1, "rs-shelves": 1}
    lines = list(csv.DictReader(io.StringIO(files["tables/wrong_shelves.csv"].decode("utf-8-sig"))))
    assert [line["attribution"] for line in lines[:3]] == ["Products by everybody & co"] * 2 + [""]


@rendered_once
def test_linked_files_exist() -> None:
    files = rendered()[1]
    linked = set(re.findall(r'"/studies/12/files/([^"]+)"', pages(files)["body.fr.html"]))
    assert len(linked) > 20
    assert linked - set(files) == {"report.json"}, "which the study itself writes, last"


@rendered_once
def test_the_verdict_is_in_both_languages_with_their_numbers() -> None:
    found = pages(rendered()[1])
    assert "Yes: this catalogue can be categorised automatically." in found["report.en.html"]
    assert "Oui\u00a0: ce catalogue peut être catégorisé automatiquement." in found["report.fr.html"]
    assert "96.8\u00a0%" in found["report.en.html"]
    assert "96,8\u00a0%" in found["report.fr.html"]
    assert '<html lang="fr">' in found["report.fr.html"]


@pytest.mark.parametrize("name", ODD)
def test_whatever_is_missing_the_report_is_whole(name: str) -> None:
    report = ODD[name]
    files = render(report, lambda row: b"no photo" if row % 2 else None)
    assert "photos.webp" not in files
    for page in pages(files).values():
        Balanced(page)
        visible = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", page, flags=re.DOTALL)
        assert not re.search(r">\s*(?:None|nan|undefined)\b", visible)


def test_a_large_catalogue_is_drawn_in_part_and_says_so() -> None:
    report = grocery()
    files = render(report, lambda _row: None)
    page = pages(files)["report.en.html"]
    assert "of 3,000 listings are drawn" in page
    assert "81 categories are too many for colours: a colour is a parent category." in page
    assert 1300 < page.count("<title>") / (2 * len(report["pictures"])) < 6000
    assert files["tables/map_tfidf.csv"].count(b"\n") == 3001
    assert len(files["report.en.html"]) < 8_000_000


def test_the_threshold_is_that_of_the_accuracy_or_without_one_of_the_ari() -> None:
    trained = believable(rows=40, extractors=("tfidf",))
    alone = trained | {"supervised": [], "findings": [f for f in trained["findings"] if f["code"] != "supervised"]}
    texts = [verdict_text(StudyReport.from_json(each), ReportLanguage("en")) for each in (trained, alone)]
    assert texts[0].threshold == "Feasible from 85\u00a0% right on unseen listings."
    assert texts[1].threshold == "Feasible from ARI 0.50."


def test_hostile_names_stay_text() -> None:
    report: dict[str, Any] = believable(("A", HOSTILE, "C"), 40, ("tfidf",))
    for row in report["rows"]:
        row["name"] = HOSTILE
    report["subject"] = HOSTILE
    report["trials"][0]["reason"] = report["trials"][-1]["reason"] = HOSTILE
    for name, page in pages(render(report, lambda _row: None)).items():
        parsed = Balanced(page)
        assert "alert(1)</script>" not in page
        assert not any(key.startswith("on") for key, _ in parsed.attributes)
        assert "49" not in re.findall(r"onerror=alert\(2\)&gt;([^ ]*)", page)
        if name == "body.en.html":
            assert parsed.tags.count("script") == 0


def test_a_weak_estimator_is_mentioned_beside_the_label_issues() -> None:
    report = believable(rows=60, extractors=("tfidf",))
    found = [f | {"accuracy": 0.5} if f["code"] == "supervised" else f for f in report["findings"]]
    weak = report | {"findings": found}
    weakly, strongly = (pages(render(each)) for each in (weak, report))
    for code, warning in (("en", "its own errors"), ("fr", "ses propres erreurs")):
        assert warning in weakly[f"report.{code}.html"]
        assert warning not in strongly[f"report.{code}.html"]
