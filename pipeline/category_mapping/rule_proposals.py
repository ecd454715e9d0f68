"""Rule proposals: the probable meanings of a source's categories in the taxonomy, with the grounds for them.

Three grounds are combined by ``dempster_shafer``: the names of the categories, the texts of their listings, and the
decisions on those listings. A source category without enough grounds for any category of the taxonomy is proposed to
mean none of them.
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

MAX_TEXTS = 20_000  # of the source and of the taxonomy each; if there are more, evenly spaced ones are read
MIN_TEXTS = 10  # labelled texts below which no extractor is fitted
MIN_TEXTS_FOR_WORD2VEC = 300
FITTED_EXTRACTORS = ("tfidf", "word2vec")

# The maximum mass of each ground: none is certain, and names count less than decisions on listings.
TRUST_NAMES, TRUST_TEXTS, TRUST_DECISIONS = 0.85, 0.75, 0.95


@dataclass(frozen=True, slots=True)
class SimilarityRange:
    """Similarities up to ``chance`` occur between unrelated categories and do not count; from ``equal`` on, in full."""

    chance: float
    equal: float


NAMES_RANGE, TEXTS_RANGE = SimilarityRange(0.3, 0.9), SimilarityRange(0.2, 0.65)
SIMILARITY_SCALE = 0.08  # difference in similarity to the best category that divides the share of the mass by e
MAX_RIVALS = 8
MIN_BELIEF = 0.15  # belief below which no category of the taxonomy is proposed
HALF_BELIEF_LISTINGS = 4  # number of listings at which the belief in "no category corresponds" is half of its maximum
MIN_RIVAL_BELIEF = 0.05
MAX_SHOWN_RIVALS = 3

Floats = NDArray[np.float32]


def propose_rules(
    inputs: ProposalInputs,
    weights_path: Callable[[str], Path] | None = None,
    progress: Progress = no_progress,
) -> list[RuleProposal]:
    """At most one proposal per source category, best first.

    Left out are source categories with an accepted rule, and refused meanings. ``weights_path`` returns the path of a
    pretrained encoder's weights, whether or not they are installed.
    """
    names = sorted(set(inputs.counts_by_category) - inputs.with_accepted_rule)
    taxonomy = _Taxonomy.of(inputs.categories)
    if not names or not taxonomy.paths:
        return []
    listing_indices: dict[str, list[int]] = {name: [] for name in names}
    for index, listing in enumerate(inputs.listings):
        for name in dict.fromkeys(listing.categories):
            if name in listing_indices:
                listing_indices[name].append(index)
    encoders = _load_pretrained_encoders(weights_path)
    progress(0.05, "comparing the names of categories")
    name_similarities = category_similarity.name_similarities(names, taxonomy.paths, encoders)
    progress(0.2, "comparing the texts of listings")
    texts = _text_similarities(inputs, [listing_indices[name] for name in names], taxonomy.paths, encoders)
    progress(0.9, "combining the evidence")
    proposals = []
    for row, name in enumerate(names):
        counts = inputs.counts_by_category[name]
        source_category = _SourceCategory(
            name=name,
            support=counts.support,
            texts_read=len(listing_indices[name]),
            name_similarities=name_similarities[row],
            text_similarities=texts.similarities[row],
            confident={path: count for path, count in counts.confident.items() if path in taxonomy.known},
            decided=sum(count for path, count in counts.decided.items() if path in taxonomy.known),
            refused=frozenset(meaning for refused_name, meaning in inputs.refused if refused_name == name),
        )
        proposal = _proposal(source_category, taxonomy)
        if proposal is not None:
            grounds = replace(proposal.grounds, extractors=(*texts.fitted, *encoders))
            proposals.append(replace(proposal, grounds=grounds))
    return sorted(proposals, key=lambda proposal: (-proposal.score, -proposal.support, proposal.source_category))


def count_source_categories(listings: Sequence[CollectedListing]) -> dict[str, CategoryCounts]:
    """Count the source categories of these listings, and the decisions on their listings."""
    support: Counter[str] = Counter()
    decided: dict[str, Counter[str]] = {}
    confident: dict[str, Counter[str]] = {}
    for listing in listings:
        for name in dict.fromkeys(listing.categories):
            support[name] += 1
            if listing.decided_category is not None:
                decided.setdefault(name, Counter())[listing.decided_category] += 1
                confident.setdefault(name, Counter())[listing.decided_category] += listing.confident
    return {
        name: CategoryCounts(count, decided.get(name, {}), confident.get(name, {})) for name, count in support.items()
    }


@dataclass(frozen=True, slots=True)
class _Taxonomy:
    """The sorted paths of a taxonomy, also as a set, and the indices of the paths in each branch (None: all)."""

    paths: Sequence[str]
    known: frozenset[str]
    branch_indices: Mapping[str | None, Sequence[int]]

    @classmethod
    def of(cls, categories: Sequence[str]) -> _Taxonomy:
        paths = sorted(categories)
        branch_indices: dict[str | None, list[int]] = {None: list(range(len(paths)))}
        for index, path in enumerate(paths):
            for branch in dempster_shafer.branches_of(path):
                branch_indices.setdefault(branch, []).append(index)
        return cls(paths, frozenset(paths), branch_indices)


@dataclass(frozen=True, slots=True)
class _SourceCategory:
    """The evidence on one source category.

    ``name_similarities`` and ``text_similarities`` are those to each category of the taxonomy; the texts of
    ``texts_read`` of its ``support`` listings were compared. ``decided`` is the number of listings with a decision for
    a category of the taxonomy, and ``confident`` counts by category those decisions that need no review.
    """

    name: str
    support: int
    texts_read: int
    name_similarities: Floats
    text_similarities: Floats
    confident: Mapping[str, int]
    decided: int
    refused: frozenset[str | None]


def _proposal(source: _SourceCategory, taxonomy: _Taxonomy) -> RuleProposal | None:
    """The proposal for one source category; None if only refused ones remain."""
    # A few listings may be similar by chance, so their texts are trusted less.
    trust_in_texts = TRUST_TEXTS * source.texts_read / (source.texts_read + 1)
    names = _masses(source.name_similarities, taxonomy.paths, NAMES_RANGE, TRUST_NAMES)
    texts = _masses(source.text_similarities, taxonomy.paths, TEXTS_RANGE, trust_in_texts)
    decision_masses = dempster_shafer.masses_of_shares(source.confident, source.decided)
    decisions = _largest({branch: TRUST_DECISIONS * mass for branch, mass in decision_masses.items()})
    combined = dempster_shafer.combine((names, texts, decisions))
    beliefs = dempster_shafer.beliefs(combined.masses)
    refused = [category for category in source.refused if category is not None]
    chosen = dempster_shafer.deepest_believed(beliefs, refused)
    score = beliefs[chosen] if chosen is not None else 0.0
    if score < MIN_BELIEF and None not in source.refused:
        # The more listings there are, the more likely it is that no category of the taxonomy corresponds.
        confidence = source.support / (source.support + HALF_BELIEF_LISTINGS)
        chosen, score = None, (1 - score) * (1 - combined.contradiction) * confidence
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
        count for category, count in source.confident.items() if chosen and dempster_shafer.lies_in(category, chosen)
    )
    agreement_bound = dempster_shafer.lower_bound(agreeing, source.decided) if source.decided and chosen else None
    branch_indices = taxonomy.branch_indices[chosen]
    return Grounds(
        names=round(float(source.name_similarities[branch_indices].max()), 4),
        texts=round(float(source.text_similarities[branch_indices].max()), 4),
        decided=source.decided,
        agreeing=agreeing,
        agreement_at_least=None if agreement_bound is None else round(agreement_bound, 4),
        contradiction=round(contradiction, 4),
        rivals=rivals,
    )


def _masses(
    similarities: Floats, categories: Sequence[str], similarity_range: SimilarityRange, trust: float
) -> dict[str, float]:
    """The masses by similarities: the best one determines their sum, which is shared by the most similar categories."""
    best = float(similarities.max())
    strength = trust * float(
        np.clip((best - similarity_range.chance) / (similarity_range.equal - similarity_range.chance), 0.0, 1.0)
    )
    if strength <= 0:
        return {}
    nearest = np.argsort(-similarities, kind="stable")[:MAX_RIVALS]
    shares = np.exp((similarities[nearest] - best) / SIMILARITY_SCALE)
    # More than MAX_RIVALS categories may be equally similar: each gets an equal share.
    tie_factor = max(1.0, float((similarities >= best - 1e-4).sum()) / len(nearest))
    shares = strength * shares / (shares.sum() * tie_factor)
    return {categories[index]: float(share) for index, share in zip(nearest, shares, strict=True)}


def _largest(masses: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(masses.items(), key=lambda item: -item[1])[:MAX_RIVALS])


def _rivals(beliefs: Mapping[str, float], chosen: str | None) -> tuple[RivalCategory, ...]:
    others = [branch for branch in beliefs if chosen is None or not dempster_shafer.lies_in(chosen, branch)]
    best = sorted(others, key=lambda branch: (-beliefs[branch], branch))[:MAX_SHOWN_RIVALS]
    return tuple(
        RivalCategory(branch, round(beliefs[branch], 4)) for branch in best if beliefs[branch] >= MIN_RIVAL_BELIEF
    )


@dataclass(frozen=True, slots=True)
class _TextSimilarities:
    """``similarities``, shape (n_source_categories, n_categories), and the names of the extractors that were fitted."""

    similarities: Floats
    fitted: tuple[str, ...]


def _text_similarities(
    inputs: ProposalInputs,
    listing_groups: Sequence[Sequence[int]],
    categories: Sequence[str],
    encoders: Mapping[str, TextExtractor],
) -> _TextSimilarities:
    """Compare the texts of listings by extractors fitted on them and by the pretrained ``encoders``.

    ``listing_groups`` are the indices of the collected listings of each source category.
    """
    position_of = {index: position for position, index in enumerate(_evenly_spaced(len(inputs.listings)))}
    source_texts = [inputs.listings[index].evidence for index in position_of]
    source_groups = [[position_of[index] for index in group if index in position_of] for group in listing_groups]
    column_of = {path: column for column, path in enumerate(categories)}
    labelled = [inputs.labelled[index] for index in _evenly_spaced(len(inputs.labelled))]
    labelled = [listing for listing in labelled if listing.category in column_of]
    labelled_texts = [Evidence(listing.name, listing.description, listing.attributes) for listing in labelled]
    taxonomy_groups: list[list[int]] = [[] for _ in categories]
    for index, listing in enumerate(labelled):
        for branch in dempster_shafer.branches_of(listing.category):
            if branch in column_of:
                taxonomy_groups[column_of[branch]].append(index)
    extractors: dict[str, TextExtractor] = {}
    if len(labelled_texts) >= MIN_TEXTS:
        too_few = len(source_texts) + len(labelled_texts) < MIN_TEXTS_FOR_WORD2VEC
        for name in FITTED_EXTRACTORS[:1] if too_few else FITTED_EXTRACTORS:
            unfitted = cast(TextExtractor, extractor.build_extractor(name))
            extractors[name] = unfitted.fit([*source_texts, *labelled_texts])
    similarities = category_similarity.text_similarities(
        source_texts, source_groups, labelled_texts, taxonomy_groups, extractors | dict(encoders)
    )
    return _TextSimilarities(similarities, tuple(extractors))


def _evenly_spaced(count: int) -> Iterable[int]:
    """Indices of at most ``MAX_TEXTS`` of ``count`` items, evenly spaced."""
    if count <= MAX_TEXTS:
        return range(count)
    return [int(index) for index in np.linspace(0, count - 1, MAX_TEXTS)]


def _load_pretrained_encoders(weights_path: Callable[[str], Path] | None) -> dict[str, TextExtractor]:
    """Load the pretrained text encoders whose weights and libraries are installed."""
    encoders: dict[str, TextExtractor] = {}
    for spec in EXTRACTORS:
        if weights_path is None or spec.modality is not Modality.TEXT or not spec.takes_weights:
            continue
        weights = find_weights(spec.name, weights_path)
        if weights:
            try:
                encoders[spec.name] = cast(TextExtractor, extractor.build_extractor(spec.name, weights)).fit([])
            except (Unavailable, BadArtefact):
                continue
    return encoders
