"""Rules are proposed by a job from what was collected: right ones, once, and never over a person's word."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from infra.sample.generator import SampleListing, generate
from infra.store.imports.bulk_import import encode_rows
from infra.store.imports.repository import import_locks
from infra.store.rules.queries import latest_proposal_job
from pipeline.category_mapping.dempster_shafer import lies_in
from pipeline.domain.import_run import ImportRequest
from pipeline.domain.job import JobState, Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.product_source import Licence, ProductPage, ProductQuery, Provenance, QueryKind, SourceProduct
from pipeline.domain.rule import RuleStatus
from pipeline.domain.source import Source
from pipeline.steps.collect import CollectContext, collect
from pipeline.steps.imports import running_import
from pipeline.steps.intake import accept
from pipeline.steps.jobs import take_over
from pipeline.steps.rules import accept_proposals, request_proposals
from tests.integration.records import add_model, add_source, decide
from tests.integration.workers.conftest import Bench
from workers.long_job_handlers import handle_long_job
from workers.long_job_runner import run_long_job

OURS, THEIRS = 180, 110  # listings of the marketplace, and of the product database
QUERY = ProductQuery(QueryKind.CATEGORY, "everything")
DATABASE = "database"


def names_of(sample: SampleListing, at: int) -> tuple[str, ...]:
    """How the database files a product: a department of its own words, a shelf whose name may say nothing, noise."""
    top, leaf = sample.category.split(" >> ")[0], sample.category.split(" >> ")[-1]
    shelf = f"xx:{sum(map(ord, leaf)) % 9000}" if sum(map(ord, leaf)) % 3 == 0 else f"en:{leaf.lower()}"
    noise = ("en:new-this-week",) if at % 5 == 0 else ()
    return (f"en:{top.lower()}", *noise, shelf.replace(" ", "-"))


class Filed:
    """A database whose products are those of the sample, with the truth of each of its categories."""

    name = DATABASE
    licence = Licence("ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/", "by everybody")

    def __init__(self, products: list[SampleListing]) -> None:
        self.found, self.meant = [], Counter[tuple[str, str]]()
        for at, sample in enumerate(products):
            names = names_of(sample, at)
            content = Content(sample.name, sample.description, sample.attributes)
            place = Provenance(DATABASE, f"https://products.example/{at}", names)
            self.found.append(SourceProduct(f"p{at}", content, place))
            self.meant.update((name, sample.category) for name in names)

    def page(self, _query: ProductQuery, _cursor: Any) -> ProductPage:
        return ProductPage(self.found, None, len(self.found))

    def delete_local_copies(self) -> None:
        pass

    def is_right(self, name: str, category: str) -> bool:
        """Whether nine of ten listings of the name lie in the category."""
        of = sum(count for (said, _), count in self.meant.items() if said == name)
        inside = sum(n for (said, true), n in self.meant.items() if said == name and lies_in(true, category))
        return inside >= 0.9 * of


def stock(bench: Bench) -> None:
    """Listings of the marketplace that their sellers labelled."""
    samples = [
        Submission(s.external_id, Content(s.name, s.description, s.attributes, (), s.category)) for s in generate(OURS)
    ]
    accept(bench.context.units, bench.source.id, samples, Priority.IMPORT)


def bring_in(bench: Bench, filed: Filed) -> Source:
    """Collect all of the database into a source that shares the marketplace's taxonomy, as a command does."""
    source = add_source(bench.context.engine, DATABASE, bench.source.taxonomy)
    request = ImportRequest.of_query(source.id, DATABASE, QUERY)
    with running_import(bench.context.units, import_locks(bench.context.engine), request, afresh=True) as run:
        collect(CollectContext(bench.context.units, filed, encode_rows, lambda _: None), QUERY, source.id, run)
    return source


def work(bench: Bench, source: Source) -> str:
    """Do the open mapping of a source, as a worker of the queue for training does; its sentence."""
    bench.ready()
    with bench.context.engine.connect() as connection:
        job = latest_proposal_job(connection, source.id)
    assert job is not None
    assert take_over(bench.context.units, job.job_id, 30)
    run_long_job(bench.context, "a worker", job.job_id, handle_long_job)
    with bench.context.engine.connect() as connection:
        ended = latest_proposal_job(connection, source.id)
    assert ended is not None
    assert ended.state is JobState.DONE, ended.note
    return ended.note


def rules(bench: Bench) -> dict[str, tuple[str | None, float | None, str]]:
    with bench.context.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT u.source_category, c.path, u.score, u.status FROM category_rules u "
                "LEFT JOIN categories c ON c.id = u.category_id ORDER BY u.id"
            )
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}


@pytest.fixture
def filed() -> Filed:
    return Filed(list(generate(THEIRS, seed=77)))


def test_likely_proposals_are_right_and_a_persons_word_stays(bench: Bench, filed: Filed) -> None:
    stock(bench)
    source = bring_in(bench, filed)
    assert bench.value("SELECT count(*) FROM jobs WHERE kind = 'map'") == 1, "it asked by itself"
    said = work(bench, source)
    found = rules(bench)
    assert len(found) == len({name for name, _ in filed.meant})
    assert said.startswith(f"proposed {len(found)} rules, ")
    likely = {name: rule for name, rule in found.items() if (rule[1] or 0) >= 0.8 and rule[0] is not None}
    right = [name for name, rule in likely.items() if filed.is_right(name, rule[0] or "")]
    print(f"belief of 0.8 or more: {len(right)} of {len(likely)} right, of {len(found)} proposals")
    assert len(likely) >= 10
    assert len(right) >= 0.95 * len(likely), sorted(set(likely) - set(right))

    first, second, *_ = sorted(likely)
    decide(bench.context.engine, source, first, likely[second][0])
    decide(bench.context.engine, source, second, likely[second][0], RuleStatus.REFUSED)
    request_proposals(bench.context.units, source.id, "Ada")
    work(bench, source)
    assert bench.rows(f"SELECT status FROM category_rules WHERE source_category = '{first}'") == [("accepted",)]
    statuses = bench.rows(f"SELECT status FROM category_rules WHERE source_category = '{second}' ORDER BY status")
    assert ("refused",) in statuses
    assert bench.value("SELECT count(*) FROM category_rules WHERE status = 'accepted'") == 1


def test_a_job_is_asked_for_once_and_only_where_there_is_something_new(bench: Bench, filed: Filed) -> None:
    few, everything = Filed([]), filed.found
    few.found = everything[:2]
    bring_in(bench, few)
    jobs = "SELECT count(*) FROM jobs WHERE kind = 'map'"
    assert bench.value(jobs) == 0, "the taxonomy has no categories yet"
    stock(bench)
    few.found = everything[:4]
    source = bring_in(bench, few)
    few.found = everything[:6]
    bring_in(bench, few)
    assert bench.value(jobs) == 1, "the one that waits will see what the second brought"
    assert bench.value("SELECT priority FROM jobs WHERE kind = 'map'") == "backfill"
    job_id = request_proposals(bench.context.units, source.id, "Ada")
    assert job_id == bench.value("SELECT id FROM jobs WHERE kind = 'map'")
    work(bench, source)
    bring_in(bench, few)
    assert bench.value(jobs) == 1, "nothing is new"
    few.found = everything
    bring_in(bench, few)
    assert bench.value(jobs) == 2


def test_a_promotion_asks_again_once_where_there_is_something_to_decide(bench: Bench, filed: Filed) -> None:
    jobs = "SELECT count(*) FROM jobs WHERE kind = 'map' AND state = 'waiting'"
    stock(bench)
    filed.found = filed.found[:4]
    source = bring_in(bench, filed)
    work(bench, source)
    assert bench.value(jobs) == 0

    def promote_another() -> None:
        add_model(bench.context.engine, bench.source.taxonomy_id, {})

    for _ in range(2):
        promote_another()
        assert bench.value(jobs) == 1, "of the marketplace's own source nothing is asked"
    ((asked, priority),) = bench.rows(
        "SELECT payload, priority::text FROM jobs WHERE kind = 'map' AND state = 'waiting'"
    )
    assert (asked["source_id"], priority) == (source.id, "backfill")
    work(bench, source)
    accept_proposals(bench.context.units, source.id, 0.0, "Ada")
    promote_another()
    assert bench.value(jobs) == 0, "all is decided"
    bench.run("DELETE FROM category_rules")
    promote_another()
    assert bench.value(jobs) == 1, "nothing is"
