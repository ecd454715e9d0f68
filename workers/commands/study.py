"""The command that studies whether a catalogue can be categorised: listings by workers, or a file in this process."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from infra.store.studies.queries import find_study, study_progress
from infra.store.taxonomies.queries import find_taxonomy
from pipeline.domain.errors import InvalidInput, PermanentFailure, Unavailable
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.job import Queue
from pipeline.domain.study import OPTIONAL_METHODS, ClusteringMethod, Feasibility, StudyPlan, StudyStatus, study_key
from pipeline.domain.study_report import ClusteringResult, StudyReport, SupervisedFigures, Trial
from pipeline.steps.studies import request_study
from workers.bootstrap import WorkerContext
from workers.commands.await_jobs import POLL_INTERVAL, wait_for_worker
from workers.commands.command_context import open_context
from workers.commands.options import ColumnsOption, LevelOption, chosen_columns
from workers.commands.terminal import AsJson, print_json, print_line, print_note, print_table, progress_bar

NO_WORKER = (
    "no worker that takes studies is alive: start one with 'rayon up' or 'rayon worker --role train', or study a "
    "catalogue file in this process with --file"
)
VERDICTS = {
    Feasibility.FEASIBLE: "feasible: this catalogue can be categorised automatically",
    Feasibility.PROMISING: "promising: much of this catalogue can be categorised automatically, the rest needs people",
    Feasibility.NOT_FEASIBLE: "not feasible with what was tried",
}
TRIAL_COLUMNS = (
    "extractor",
    "modality",
    "protocol",
    "ARI",
    "95 %",
    "AMI",
    "V",
    "silhouette",
    "accuracy",
    "seconds",
    "",
)
CLUSTERING_COLUMNS = ("extractor", "protocol", "clustering", "ARI", "95 %", "clusters", "noise", "seconds", "n", "")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(study)


def study(
    taxonomy: Annotated[str, typer.Option(help="which taxonomy; not needed when there is one")] = "",
    extractors: Annotated[str, typer.Option(help="comma-separated names; all extractors by default")] = "",
    sample: Annotated[
        int | None, typer.Option(min=2, help="maximum number of listings to study, stratified by category")
    ] = None,
    level: LevelOption = None,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="number of seeds, from 0")] = 10,
    file: Annotated[
        Path | None, typer.Option(help="study this catalogue file in this process, without a stack")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="the folder of its photos")] = None,
    columns: ColumnsOption = None,
    out: Annotated[Path | None, typer.Option(help="the folder for the results; by default study-NAME")] = None,
    weights: Annotated[list[str] | None, typer.Option(help="NAME=FILE: the weights of an extractor")] = None,
    clusterings: Annotated[str, typer.Option(help="methods to compare with k-means: spectral, hdbscan, or both")] = "",
    *,
    no_supervised: Annotated[bool, typer.Option("--no-supervised", help="leave out the supervised figures")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure whether a catalogue can be categorised automatically: from text, from photos, from both."""
    plan = plan_of(extractors, level, sample, seeds, clusterings, supervised=not no_supervised)
    if file is not None:
        if taxonomy:
            raise InvalidInput("--taxonomy is for a study of the stack's listings; a study of --file has its own")
        from workers.commands.study_file import FileToStudy, study_file

        catalogue = FileToStudy(file, images, chosen_columns(columns), out)
        report = study_file(catalogue, weights or [], plan)
        location = str(catalogue.target / "report.en.html")
    else:
        if images or columns or out or weights:
            raise InvalidInput("--images, --columns, --out and --weights go with --file")
        context = open_context("study")
        study_id = _request_or_join(context, taxonomy, plan)
        report = _follow(context, study_id)
        location = f"{context.settings.public_url}/studies/{study_id}"
    if as_json:
        print_json(report.as_json())
        return
    print_report(report)
    print_line(f"the whole report: {location}")


def plan_of(
    extractors: str, level: int | None, sample: int | None, seeds: int, clusterings: str, *, supervised: bool
) -> StudyPlan:
    """The plan that the options describe; InvalidInput lists the known names if an extractor or method is unknown."""
    names = _names(extractors)
    for name in names:
        extractor_spec(name)
    other_methods = _names(clusterings)
    for name in other_methods:
        if name not in OPTIONAL_METHODS:
            raise InvalidInput(f"there is no clustering '{name}' to compare; known are {', '.join(OPTIONAL_METHODS)}")
    repeats = StudyPlan().repeats if supervised else 0
    methods = tuple(ClusteringMethod(name) for name in other_methods)
    return StudyPlan(names, level, sample, tuple(range(seeds)), repeats=repeats, clusterings=methods)


def print_report(report: StudyReport) -> None:
    """Print the verdict, the extent of the study, and a row per trial."""
    print_line(VERDICTS[report.verdict])
    counted = f"{report.studied} of {report.listings} listings, {len(report.categories)} categories"
    print_line(f"{report.subject}: {counted} at level {report.level}, fingerprint {report.fingerprint[:12]}")
    print_table(TRIAL_COLUMNS, [_trial_cells(trial) for trial in report.trials])
    if report.clusterings:
        print_table(CLUSTERING_COLUMNS, [_clustering_cells(result) for result in report.clusterings])
    for figures in report.supervised:
        accuracy = figures.accuracy
        result_text = f"accuracy {accuracy.mean:.3f} ± {accuracy.std:.3f}" if accuracy else outcome_of(figures)
        print_line(f"supervised, {figures.extractor} ({', '.join(figures.evidence)}): {result_text}")
    issues = len(report.label_issues)
    weak_note = " (or the model is wrong: it is a weak one)" if issues and report.assessment.has_weak_estimator else ""
    print_line(f"{issues} listings are probably in the wrong category{weak_note}; {report.seconds:.0f} s")


def _names(listed: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))


def outcome_of(row: Trial | ClusteringResult | SupervisedFigures) -> str:
    """The status and reason of a result without figures; reasons stored by earlier versions begin with the status."""
    reason = str(row.reason)
    return reason if reason.startswith(row.status) else f"{row.status}: {reason}"


def _trial_cells(trial: Trial) -> list[str]:
    cells, ari = [trial.extractor, trial.modality, trial.protocol], trial.ari
    if ari is None:
        return [*cells, *[""] * 7, outcome_of(trial)]
    figures = (trial.ami, trial.v_measure, trial.silhouette, trial.accuracy)
    formatted_figures = ["" if figure is None else f"{figure:.3f}" for figure in figures]
    return [*cells, f"{ari.mean:.3f}", f"{ari.low:.3f}-{ari.high:.3f}", *formatted_figures, f"{trial.seconds:.1f}", ""]


def _clustering_cells(result: ClusteringResult) -> list[str]:
    cells, ari = [result.extractor, result.protocol, result.method], result.ari
    if ari is None:
        return [*cells, *[""] * 6, outcome_of(result)]
    noise = "" if result.noise is None else f"{result.noise:.1%}"
    figures = [f"{ari.mean:.3f}", f"{ari.low:.3f}-{ari.high:.3f}", f"{result.clusters:g}", noise]
    return [*cells, *figures, f"{result.seconds:.1f}", str(result.n), ""]


def _request_or_join(context: WorkerContext, taxonomy: str, plan: StudyPlan) -> int:
    with context.engine.connect() as connection:
        found_taxonomy = find_taxonomy(connection, taxonomy or None)
    if not wait_for_worker(context, Queue.TRAINING):
        raise Unavailable(NO_WORKER)
    requested = request_study(context.units, found_taxonomy.id, plan, "the command line")
    if not requested.is_new:
        print_note(
            f"a study of {found_taxonomy.name} runs already ({requested.id}): this follows it, whatever its plan is"
        )
    return requested.id


def _follow(context: WorkerContext, study_id: int) -> StudyReport:
    """Wait, with a progress bar, until the study has ended, and return its report; PermanentFailure if it failed."""
    try:
        with context.engine.connect() as connection, progress_bar() as show_progress:
            while True:
                study_record = find_study(connection, study_id, None)
                progress = study_progress(connection, study_id)
                connection.rollback()
                if study_record is None or study_record.status is not StudyStatus.RUNNING:
                    break
                show_progress(progress.share, progress.doing or f"{progress.stage}: waiting for a worker")
                time.sleep(POLL_INTERVAL)
    except KeyboardInterrupt:
        print_note(f"study {study_id} continues where it runs; the same command follows it again")
        raise typer.Exit(130) from None
    if study_record is None or study_record.status is StudyStatus.FAILED:
        raise PermanentFailure(f"study {study_id} has failed: {study_record and study_record.error}")
    return StudyReport.from_json(json.loads(context.storage.get(study_key(study_id, "report.json"))))
