"""``rayon study``: following a study of the stack, and studying a file without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.sample.generator import write_catalogue
from tests.integration.workers.conftest import Bench
from tests.integration.workers.study_bench import StudyBench
from tests.integration.workers.test_relay import until
from tests.unit.pipeline.study.fake_steps import FakeStudySteps

TRIAL_KEYS = {
    "extractor",
    "protocol",
    "ari",
    "ami",
    "v_measure",
    "silhouette",
    "accuracy",
    "seconds",
    "status",
    "reason",
}


def environment_of(bench: Bench) -> dict[str, str]:
    settings = bench.context.settings
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAYON_")},
        "DATABASE_URL": settings.database_url,
        "RAYON_HOME": str(settings.home),
        "SECRET_KEY": settings.secret_key,
    }


# The command has asked how far the study is, and waits before it asks again.
BETWEEN_LOOKS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'rayon study' AND state = 'idle' AND query LIKE 'ROLLBACK%'
"""


def start(bench: Bench, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "workers.cli", "study", *words],
        env=environment_of(bench),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_a_study_of_the_stack_is_followed_to_its_report(bench: Bench) -> None:
    studies = StudyBench(bench, FakeStudySteps())
    studies.stock()
    following = start(bench, "--extractors", "tfidf, fisher", "--seeds", "1", "--json")
    until(lambda: bool(studies.step()), 60)
    studies.work()
    said, remarks = following.communicate(timeout=60)
    assert following.returncode == 0, remarks
    report = json.loads(said)
    assert report["verdict"] == "promising"
    assert {row["extractor"] for row in report["trials"]} == {"tfidf", "fisher", "tfidf+fisher"}
    assert bench.rows("SELECT requested_by, plan ->> 'seeds' FROM studies") == [("the command line", "[0]")]


def test_ctrl_c_leaves_the_study_running_and_a_second_command_joins_it(bench: Bench) -> None:
    studies = StudyBench(bench, FakeStudySteps(fail={"fisher": ValueError("it cannot be")}))
    studies.stock()
    following = start(bench)
    until(lambda: bool(bench.value("SELECT count(*) FROM studies")), 60)
    until(lambda: bool(bench.value(BETWEEN_LOOKS)), 60)
    following.send_signal(signal.SIGINT)
    _, remarks = following.communicate(timeout=60)
    assert following.returncode == 130
    assert "continues" in remarks
    joining = start(bench, "--extractors", "tfidf")
    assert joining.stderr is not None
    assert "runs already" in joining.stderr.readline()
    studies.bench.run('UPDATE studies SET plan = plan || \'{"extractors": ["tfidf", "fisher"]}\'')
    studies.work()
    said, remarks = joining.communicate(timeout=60)
    assert joining.returncode == 0, remarks
    assert bench.value("SELECT count(*) FROM studies") == 1
    assert "promising" in said
    assert "ValueError: it cannot be" in said


def test_a_study_that_cannot_be_ends_in_a_sentence(bench: Bench) -> None:
    studies = StudyBench(bench, FakeStudySteps())
    following = start(bench)
    until(lambda: bool(studies.step()), 60)
    _, remarks = following.communicate(timeout=60)
    assert following.returncode == 2
    assert "fewer than two categories" in remarks
    assert "Traceback" not in remarks


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--extractors", "crystal_ball"), "supported: "),
        (("--clusterings", "guessing"), "known are spectral, hdbscan"),
        (("--images", "photos"), "--file"),
        (("--taxonomy", "nobody's"), "there is no taxonomy"),
        (("--file", "no-such-file.csv"), "no-such-file.csv"),
    ],
)
def test_mistakes_are_told_in_a_sentence(bench: Bench, words: tuple[str, ...], said: str) -> None:
    asking = start(bench, *words)
    _, remarks = asking.communicate(timeout=60)
    assert asking.returncode == 2
    assert said in remarks
    assert "Traceback" not in remarks
    assert bench.value("SELECT count(*) FROM studies") == 0


def test_without_a_worker_nothing_is_begun(bench: Bench) -> None:
    bench.run("DELETE FROM workers WHERE queue = 'training'")
    asking = start(bench)
    _, remarks = asking.communicate(timeout=60)
    assert asking.returncode == 2
    assert "rayon worker --role train" in remarks
    assert bench.value("SELECT count(*) FROM studies") == 0


def test_a_file_is_studied_without_a_stack(tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "shop", 40, seed=12)
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    environment |= {"RAYON_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    words = ["--file", str(catalogue), "--images", str(catalogue.parent / "images"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "workers.cli",
            "study",
            *words,
            "--extractors",
            "tfidf,fisher,vgg16",
            "--seeds",
            "1",
            "--clusterings",
            "spectral,hdbscan",
            "--no-supervised",
            "--json",
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] in ("feasible", "promising", "not_feasible")
    assert len(report["fingerprint"]) == 64
    assert all(set(row) >= TRIAL_KEYS for row in report["trials"])
    by_status = {(row["extractor"], row["protocol"]): row["status"] for row in report["trials"]}
    assert by_status["tfidf", "A"] == by_status["tfidf", "B"] == by_status["fisher", "B"] == "done"
    assert by_status["vgg16", "B"] == "unavailable"
    assert next(row["reason"] for row in report["trials"] if row["extractor"] == "vgg16")
    tfidf = next(row for row in report["trials"] if (row["extractor"], row["protocol"]) == ("tfidf", "B"))
    assert set(tfidf["ari"]) == {"mean", "std", "low", "high"}
    compared = [(row["extractor"], row["protocol"], row["method"]) for row in report["clusterings"]]
    assert compared == [
        (extractor, protocol, method)
        for extractor in ("tfidf", "fisher", "tfidf+fisher")
        for protocol in "BA"
        for method in ("kmeans", "spectral", "hdbscan")
    ]
    assert all(row["status"] == "done" and row["ari"] and row["clusters"] >= 0 for row in report["clusterings"])
    assert report["clusterings"][0]["ari"] == tfidf["ari"], "k-means is that of the trial"
    assert (tmp_path / "out" / "report.en.html").read_text().startswith("<!")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["fingerprint"] == report["fingerprint"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.en.html",
        "report.fr.html",
        "report.json",
        "figures",
        "tables",
    }
    assert not (tmp_path / "home" / "objects").exists(), "no listing is stored"
