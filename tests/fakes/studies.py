"""Studies in memory, as far as they are requested; what their stages write is not faked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pipeline.domain.job import JobKind, Priority, Requested
from pipeline.domain.prediction import Modality
from pipeline.domain.study import Feasibility, Stage, StudyRequest, StudyStatus
from tests.fakes.tables import StoredJob, StoredStudy, Tables


class MemoryStudies:
    """Implements ``pipeline.ports.repositories.StudyRepository`` in part."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def begin(self, request: StudyRequest) -> Requested:
        """Begin a study, or find the one in its way."""
        for study in reversed(self._tables.studies.values()):
            same = request.unique_key is not None and study.request.unique_key == request.unique_key
            running = study.status is StudyStatus.RUNNING and study.request.taxonomy_id == request.taxonomy_id
            if same or running:
                return Requested(study.id, is_new=False)
        study = StoredStudy(self._tables.next_id(), request)
        self._tables.studies[study.id] = study
        return Requested(study.id, is_new=True)

    def add_jobs(self, study_id: int, stage: Stage, names: Sequence[str | None], priority: Priority) -> None:
        """Add a waiting job of a stage for each name, except those that are there."""
        taken = {job.unique_key for job in self._tables.jobs.values()}
        for name in names:
            key = ":".join(str(part) for part in ("study", study_id, stage, name) if part is not None)
            if key not in taken:
                payload = {"study_id": study_id, "stage": stage.value} | ({"name": name} if name else {})
                job = StoredJob(self._tables.next_id(), JobKind.STUDY, priority, payload=payload, unique_key=key)
                self._tables.jobs[job.id] = job
        self._tables.relay_notified += 1

    def taxonomies_to_study(self, min_listings: int) -> list[int]:
        """The taxonomies with at least ``min_listings`` labelled listings; labels are those of sellers."""
        labelled: dict[int, int] = {}
        for listing in self._tables.listings.values():
            revision = self._tables.revisions.get(listing.revision_id or 0)
            if revision is not None and revision.content.seller_category and not listing.withdrawn:
                taxonomy_id = self._tables.sources[listing.source_id].taxonomy_id
                labelled[taxonomy_id] = labelled.get(taxonomy_id, 0) + 1
        return sorted(taxonomy_id for taxonomy_id, count in labelled.items() if count >= min_listings)

    def conclude(self, study_id: int, verdict: Feasibility, best: Mapping[Modality, float | None]) -> None:  # noqa: ARG002
        """End a study."""
        self._tables.studies[study_id].status = StudyStatus.DONE

    def _not_faked(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError

    read = candidates = contents = freeze = write_trials = add_to_agenda = fail = _not_faked
