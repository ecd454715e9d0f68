"""Records that tests of the database begin with, written by the use cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from infra.store.unit_of_work import units_of_work
from pipeline.domain.api_key import KeyRequest
from pipeline.domain.rule import Meaning, RuleStatus
from pipeline.domain.rule_proposal import RuleProposal
from pipeline.domain.source import Source
from pipeline.domain.study import StudyPlan
from pipeline.steps.keys import create_key
from pipeline.steps.models import save_version
from pipeline.steps.rules import save_proposals, set_rule
from pipeline.steps.source_registration import find_or_add_source
from pipeline.steps.studies import request_study


def add_source(engine: Engine, name: str, taxonomy: str | None = None) -> Source:
    """A source and its taxonomy."""
    return find_or_add_source(units_of_work(engine), name, taxonomy)


def add_categories(engine: Engine, source: Source, paths: Iterable[str]) -> None:
    """Categories of a source's taxonomy."""
    with units_of_work(engine)() as unit:
        unit.sources.add_categories(source.id, paths)
        unit.commit()


def add_key(engine: Engine, name: str, scopes: Sequence[str], sources: Sequence[str] | None = None) -> str:
    """An API key; returns its secret."""
    return create_key(units_of_work(engine), KeyRequest.of(name, scopes, sources)).secret


def add_model(engine: Engine, taxonomy_id: int, manifest: Mapping[str, Any], *, promote: bool = True) -> int:
    """A model version, active or a candidate; returns its id."""
    units = units_of_work(engine)
    if promote:
        return save_version(units, taxonomy_id, manifest, promote=True).model_id
    with units() as unit:
        model_id = unit.models.add(taxonomy_id, unit.models.next_number(taxonomy_id), manifest)
        unit.commit()
        return model_id


def decide(
    engine: Engine,
    source: Source,
    source_category: str,
    category: str | None,
    status: RuleStatus = RuleStatus.ACCEPTED,
) -> int:
    """A rule that Ada accepted, or refused, for a category that may be new; returns its id."""
    meaning = Meaning(category, create_missing=True)
    return set_rule(units_of_work(engine), source.id, source_category, meaning, status, "Ada")


def propose(
    engine: Engine, source: Source, proposals: Sequence[RuleProposal], support: Mapping[str, int] | None = None
) -> int:
    """Proposals in place of earlier ones; returns how many are open."""
    return save_proposals(units_of_work(engine), source.id, proposals, support or {})


def begin_study(engine: Engine, taxonomy_id: int, plan: StudyPlan | None = None, requested_by: str = "Ada") -> int:
    """A study that runs; returns its id."""
    return request_study(units_of_work(engine), taxonomy_id, plan or StudyPlan(), requested_by).id
