"""Proposals of rules: the probable meanings of a source's categories in the taxonomy, with their grounds.

Three grounds are combined by ``dempster_shafer``: the names of the categories, the texts of their listings, and the
decisions on those listings. A category without grounds for any category of the taxonomy is proposed to mean nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pipeline.category_mapping import category_similarity, dempster_shafer
from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.domain.extractors import EXTRACTORS
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, no_progress
from pipeline.domain.rule_proposal import (
    CategoryCounts,
    CollectedListing,
    Grounds,
    ProposalInputs,
    RivalCategory,
    RuleProposal,
)
from pipeline.features import extractor
from pipeline.features.extractor import TextExtractor
from pipeline.features.weights_lookup import find_weights

MAX_TEXTS = 20_000  # of the source and of the taxonomy each; of more, evenly spaced ones are read
MIN_TEXTS = 10  # below which nothing is learned from texts
MIN_TEXTS_FOR_WORD2VEC = 300
FITTED_ENCODERS = ("tfidf", "word2vec")

# The highest trust in each ground: none is certain, and names count less than decisions on listings.
TRUST_NAMES, TRUST_TEXTS, TRUST_DECISIONS = 0.85, 0.75, 0.95


@dataclass(frozen=True, slots=True)
class SimilarityRange:
    """Similarities up to ``chance`` occur between any two categories; from ``equal`` on they count in full."""

    chance: float
    equal: float


NAMES_RANGE, TEXTS_RANGE = SimilarityRange(0.3, 0.9), SimilarityRange(0.2, 0.65)
MAX_SIMILARITY_GAP = 0.08  # how much less similar than the best a category may be to get a part of its mass
MAX_RIVALS = 8
MIN_BELIEF = 0.15  # belief below which no category of the taxonomy is proposed
HALF_BELIEF_LISTINGS = 4  # listings by which "means nothing" is believed half
MIN_RIVAL_BELIEF = 0.05
SHOWN_RIVALS = 3

Floats = NDArray[np.float32]


def propose_rules(
    evidence: ProposalInputs,
    weights_path: Callable[[str], Path] | None = None,
    progress: Progress = no_progress,
) -> list[RuleProposal]:
    """One proposal for each category of the source, best first; settled categories and refused meanings are left out.

    ``weights_path`` gives the path of a pretrained encoder's weights, whether or not they are there.
    """
    names = sorted(set(evidence.tallies) - evidence.settled)
    taxonomy = _Taxonomy.of(evidence.categories)
    if not names or not taxonomy.paths:
        return []
    members: dict[str, list[int]] = {name: [] for name in names}
    for index, listing in enumerate(evidence.listings):
        for name in dict.fromkeys(listing.categories):
            if name in members:
                members[name].append(index)
    encoders = _encoders(weights_path)
    progress(0.05, "comparing the names of categories")
    by_name = category_similarity.by_names(names, taxonomy.paths, encoders)
    progress(0.2, "comparing the texts of listings")
    texts = _text_similarities(evidence, [members[name] for name in names], taxonomy.paths, encoders)
    progress(0.9, "combining the evidence")
    proposals = []
    for row, name in enumerate(names):
        tally = evidence.tallies[name]
        category = _SourceCategory(
            name=name,
            support=tally.support,
            texts_read=len(members[name]),
            name_similarities=by_name[row],
            text_similarities=texts.similarities[row],
            sure={category: count for category, count in tally.sure.items() if category in taxonomy.known},
            decided=sum(count for category, count in tally.decided.items() if category in taxonomy.known),
            refused=frozenset(meaning for source_category, meaning in evidence.refused if source_category == name),
        )
        proposal = _proposal(category, taxonomy)
        if proposal is not None:
            grounds = replace(proposal.grounds, extractors=(*texts.learned, *encoders))
            proposals.append(replace(proposal, grounds=grounds))
    return sorted(proposals, key=lambda rule: (-rule.score, -rule.support, rule.source_category))


def tally_categories(listings: Sequence[CollectedListing]) -> dict[str, CategoryCounts]:
    """Count the categories of the source in these listings."""
    support: Counter[str] = Counter()
    decided: dict[str, Counter[str]] = {}
    sure: dict[str, Counter[str]] = {}
    for listing in listings:
        for name in dict.fromkeys(listing.categories):
            support[name] += 1
            if listing.decided is not None:
                decided.setdefault(name, Counter())[listing.decided] += 1
                sure.setdefault(name, Counter())[listing.decided] += listing.sure
    return {name: CategoryCounts(count, decided.get(name, {}), sure.get(name, {})) for name, count in support.items()}


@dataclass(frozen=True, slots=True)
class _Taxonomy:
    """The sorted paths of a taxonomy, and the indices of the paths within each of its branches (None: all)."""

    paths: Sequence[str]
    known: frozenset[str]
    within: Mapping[str | None, Sequence[int]]

    @classmethod
    def of(cls, categories: Sequence[str]) -> _Taxonomy:
        paths = sorted(categories)
        within: dict[str | None, list[int]] = {None: list(range(len(paths)))}
        for index, path in enumerate(paths):
            for branch in dempster_shafer.branches_of(path):
                within.setdefault(branch, []).append(index)
        return cls(paths, frozenset(paths), within)


@dataclass(frozen=True, slots=True)
class _SourceCategory:
    """The evidence on one category of the source.

    Similarities are to each category of the taxonomy; the texts of ``texts_read`` of its ``support`` listings were
    compared. ``decided`` listings have a category of the taxonomy, and ``sure`` counts by category those that need no
    review.
    """

    name: str
    support: int
    texts_read: int
    name_similarities: Floats
    text_similarities: Floats
    sure: Mapping[str, int]
    decided: int
    refused: frozenset[str | None]


def _proposal(source: _SourceCategory, taxonomy: _Taxonomy) -> RuleProposal | None:
    """The proposal for one category of the source, None when the only ones left are refused."""
    # A few listings may be similar by chance: their texts are trusted less.
    trust_texts = TRUST_TEXTS * source.texts_read / (source.texts_read + 1)
    names = _masses(source.name_similarities, taxonomy.paths, NAMES_RANGE, TRUST_NAMES)
    texts = _masses(source.text_similarities, taxonomy.paths, TEXTS_RANGE, trust_texts)
    shares = dempster_shafer.masses_of_shares(source.sure, source.decided)
    decisions = _largest({branch: TRUST_DECISIONS * mass for branch, mass in shares.items()})
    combined = dempster_shafer.combine((names, texts, decisions))
    beliefs = dempster_shafer.beliefs(combined.masses)
    chosen = dempster_shafer.deepest(beliefs, [category for category in source.refused if category is not None])
    score = beliefs[chosen] if chosen is not None else 0.0
    if score < MIN_BELIEF and None not in source.refused:
        # The more listings there are, the surer it is that none of them is similar to anything here.
        seen = source.support / (source.support + HALF_BELIEF_LISTINGS)
        chosen, score = None, (1 - score) * (1 - combined.contradiction) * seen
    elif chosen is None:
        return None
    similarity = 0.0
    if chosen is not None:
        similarity = dempster_shafer.beliefs(dempster_shafer.combine((names, texts)).masses).get(chosen, 0.0)
    grounds = _grounds(source, taxonomy, chosen, combined.contradiction, _rivals(beliefs, chosen))
    agreement = grounds.agreeing / source.decided if source.decided and chosen else None
    return RuleProposal(source.name, chosen, round(score, 4), round(similarity, 4), agreement, source.support, grounds)


def _grounds(
    source: _SourceCategory,
    taxonomy: _Taxonomy,
    chosen: str | None,
    contradiction: float,
    rivals: tuple[RivalCategory, ...],
) -> Grounds:
    agreeing = sum(
        count for category, count in source.sure.items() if chosen and dempster_shafer.lies_in(category, chosen)
    )
    at_least = dempster_shafer.lower_bound(agreeing, source.decided) if source.decided and chosen else None
    within = taxonomy.within[chosen]
    return Grounds(
        names=round(float(source.name_similarities[within].max()), 4),
        texts=round(float(source.text_similarities[within].max()), 4),
        decided=source.decided,
        agreeing=agreeing,
        agreement_at_least=None if at_least is None else round(at_least, 4),
        contradiction=round(contradiction, 4),
        rivals=rivals,
    )


def _masses(
    similarities: Floats, categories: Sequence[str], similarity_range: SimilarityRange, trust: float
) -> dict[str, float]:
    """Masses of a ground of similarities: their sum follows from the best one, shared with those about as similar."""
    best = float(similarities.max())
    strength = trust * float(
        np.clip((best - similarity_range.chance) / (similarity_range.equal - similarity_range.chance), 0.0, 1.0)
    )
    if strength <= 0:
        return {}
    nearest = np.argsort(-similarities, kind="stable")[:MAX_RIVALS]
    shares = np.exp((similarities[nearest] - best) / MAX_SIMILARITY_GAP)
    # More categories than these may be equally similar: each gets its share.
    tie_factor = max(1.0, float((similarities >= best - 1e-4).sum()) / len(nearest))
    shares = strength * shares / (shares.sum() * tie_factor)
    return {categories[index]: float(share) for index, share in zip(nearest, shares, strict=True)}


def _largest(masses: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(masses.items(), key=lambda pair: -pair[1])[:MAX_RIVALS])


def _rivals(beliefs: Mapping[str, float], chosen: str | None) -> tuple[RivalCategory, ...]:
    others = [branch for branch in beliefs if chosen is None or not dempster_shafer.lies_in(chosen, branch)]
    best = sorted(others, key=lambda branch: (-beliefs[branch], branch))[:SHOWN_RIVALS]
    return tuple(
        RivalCategory(branch, round(beliefs[branch], 4)) for branch in best if beliefs[branch] >= MIN_RIVAL_BELIEF
    )


@dataclass(frozen=True, slots=True)
class _TextSimilarities:
    """``similarities`` (source's categories, taxonomy's), and the names of extractors that ``learned`` from texts."""

    similarities: Floats
    learned: tuple[str, ...]


def _text_similarities(
    evidence: ProposalInputs,
    members: Sequence[Sequence[int]],
    categories: Sequence[str],
    encoders: Mapping[str, TextExtractor],
) -> _TextSimilarities:
    """Compare the texts of listings by extractors fitted on them and by the pretrained ``encoders``."""
    kept = {index: position for position, index in enumerate(_evenly_spaced(len(evidence.listings)))}
    source_texts = [evidence.listings[index].evidence for index in kept]
    column = {path: index for index, path in enumerate(categories)}
    labelled = [evidence.labelled[index] for index in _evenly_spaced(len(evidence.labelled))]
    labelled = [listing for listing in labelled if listing.category in column]
    labelled_texts = [Evidence(listing.name, listing.description, listing.attributes) for listing in labelled]
    groups = [[kept[index] for index in group if index in kept] for group in members]
    extractors: dict[str, TextExtractor] = {}
    if len(labelled_texts) >= MIN_TEXTS:
        few = len(source_texts) + len(labelled_texts) < MIN_TEXTS_FOR_WORD2VEC
        for name in FITTED_ENCODERS[:1] if few else FITTED_ENCODERS:
            extractors[name] = cast(TextExtractor, extractor.build_extractor(name)).fit(
                [*source_texts, *labelled_texts]
            )
    within: list[list[int]] = [[] for _ in categories]
    for index, listing in enumerate(labelled):
        for branch in dempster_shafer.branches_of(listing.category):
            if branch in column:
                within[column[branch]].append(index)
    similarities = category_similarity.by_texts(
        source_texts, groups, labelled_texts, within, extractors | dict(encoders)
    )
    return _TextSimilarities(similarities, tuple(extractors))


def _evenly_spaced(count: int) -> Iterable[int]:
    """Indices of at most ``MAX_TEXTS`` of ``count`` items, evenly spaced."""
    if count <= MAX_TEXTS:
        return range(count)
    return [int(index) for index in np.linspace(0, count - 1, MAX_TEXTS)]


def _encoders(weights_path: Callable[[str], Path] | None) -> dict[str, TextExtractor]:
    """The pretrained text encoders whose weights and libraries are installed."""
    ready: dict[str, TextExtractor] = {}
    for spec in EXTRACTORS:
        if weights_path is None or spec.modality is not Modality.TEXT or not spec.takes_weights:
            continue
        weights = find_weights(spec.name, weights_path)
        if weights:
            try:
                ready[spec.name] = cast(TextExtractor, extractor.build_extractor(spec.name, weights)).fit([])
            except (Unavailable, BadArtefact):
                continue
    return ready
