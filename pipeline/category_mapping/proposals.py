"""Mapping: what the categories of a source probably mean in the taxonomy, proposed with grounds for a person to judge.

Three grounds, which ``belief`` makes one: the names of the categories, the texts of their listings, and what was
decided for those listings. A category whose grounds speak for nothing here is proposed to mean nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.category_mapping import category_similarity, dempster_shafer
from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.domain.extractors import EXTRACTORS
from pipeline.domain.listing import Evidence, LabelledListing
from pipeline.domain.prediction import Modality
from pipeline.domain.rule import CollectedListing, ProposedRule, Tally
from pipeline.features import extractor
from pipeline.features.extractor import TextExtractor
from pipeline.features.pretrained_weights import find_weights

MOST_TEXTS = 20_000  # of the source and of the taxonomy each; beyond, evenly spaced ones
LEAST_TEXTS = 10  # below which nothing is learned from texts
ENOUGH_FOR_COMPANY = 300  # texts, below which word2vec has nothing to learn its vectors from
LEARNING = ("tfidf", "word2vec")

# How far each ground is trusted at best: none is certain, and names less than what is decided of listings.
TRUST_NAMES, TRUST_TEXTS, TRUST_DECISIONS = 0.85, 0.75, 0.95
# Similarities up to the first number are found between any two categories; from the second on they are equal.
NAMES_RANGE, TEXTS_RANGE = (0.3, 0.9), (0.2, 0.65)
CLOSE = 0.08  # categories so much less similar than the best have a part of its mass
RIVALS = 8
DOUBTFUL = 0.15  # belief below which nothing here is meant
FEW = 4  # listings, by which "means nothing" is believed half

Progress = Callable[[float, str], None]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Known:
    """What a taxonomy is known by: its categories, and labelled listings of them."""

    categories: Sequence[str]
    labelled: Sequence[LabelledListing]


def propose_rules(
    listings: Sequence[CollectedListing],
    known: Known,
    weights_path: Callable[[str], Any] | None = None,
    refused: frozenset[tuple[str, str | None]] = frozenset(),
    settled: frozenset[str] = frozenset(),
    progress: Progress = lambda share, note: None,
    tallies: Mapping[str, Tally] | None = None,
) -> list[ProposedRule]:
    """One proposal for each category of the source, best first; those that a person refused are passed over.

    ``settled`` categories need none. ``weights_path`` tells where the weights of pretrained encoders would be. Where
    ``listings`` are only some of the source's, ``tallies`` count in all of them, by category of the source.
    """
    counted = tally(listings) if tallies is None else tallies
    names, categories = sorted(set(counted) - settled), sorted(known.categories)
    members: dict[str, list[int]] = {name: [] for name in names}
    for place, listing in enumerate(listings):
        for name in dict.fromkeys(listing.categories):
            if name in members:
                members[name].append(place)
    if not names or not categories:
        return []
    there = frozenset(categories)
    places: dict[str | None, list[int]] = {None: list(range(len(categories)))}
    for at, path in enumerate(categories):
        for node in dempster_shafer.upwards(path):
            places.setdefault(node, []).append(at)
    encoders = _encoders(weights_path)
    progress(0.05, "comparing the names of categories")
    by_name = category_similarity.by_names(names, categories, encoders)
    progress(0.2, "comparing the texts of listings")
    by_text, read = _texts(listings, [members[name] for name in names], known, categories, encoders)
    progress(0.9, "weighing the grounds")
    proposals = []
    for row, name in enumerate(names):
        of = sum(count for category, count in counted[name].decided.items() if category in there)
        sure = {category: count for category, count in counted[name].sure.items() if category in there}
        said = _Said(name, counted[name].support, len(members[name]), by_name[row], by_text[row], sure, of)
        avoided = [category for source_category, category in refused if source_category == name]
        rule = _judged(said, categories, avoided, places)
        if rule is not None:
            proposals.append(rule)
    order = {"extractors": [*read, *encoders]}
    named = [_with(rule, order) for rule in proposals]
    return sorted(named, key=lambda rule: (-rule.score, -rule.support, rule.source_category))


def tally(listings: Sequence[CollectedListing]) -> dict[str, Tally]:
    """Counts of each category of the source in these listings."""
    support: Counter[str] = Counter()
    decided: dict[str, Counter[str]] = {}
    sure: dict[str, Counter[str]] = {}
    for listing in listings:
        for name in dict.fromkeys(listing.categories):
            support[name] += 1
            if listing.decided is not None:
                decided.setdefault(name, Counter())[listing.decided] += 1
                sure.setdefault(name, Counter())[listing.decided] += listing.sure
    return {name: Tally(count, decided.get(name, {}), sure.get(name, {})) for name, count in support.items()}


@dataclass(frozen=True, slots=True)
class _Said:
    """What is known of one category of the source; similarities to each category of the taxonomy.

    ``read`` of the ``support`` listings' texts were compared.
    """

    name: str
    support: int
    read: int
    names: Floats
    texts: Floats
    decided: Mapping[str, int]
    of: int


def _judged(
    said: _Said,
    categories: Sequence[str],
    avoided: Sequence[str | None],
    places: Mapping[str | None, Sequence[int]],
) -> ProposedRule | None:
    """The proposal for one category; ``places`` are those of the categories within each, all of them within None."""
    # A few listings may be alike by chance: their texts say less.
    texts_trust = TRUST_TEXTS * said.read / (said.read + 1)
    names = _masses(said.names, categories, NAMES_RANGE, TRUST_NAMES)
    texts = _masses(said.texts, categories, TEXTS_RANGE, texts_trust)
    decisions = {
        node: TRUST_DECISIONS * mass for node, mass in dempster_shafer.masses_of_shares(said.decided, said.of).items()
    }
    similar, _ = dempster_shafer.combine((names, texts))
    together, contradiction = dempster_shafer.combine((names, texts, _largest(decisions)))
    believed = dempster_shafer.beliefs(together)
    chosen = dempster_shafer.deepest(believed, [category for category in avoided if category is not None])
    best = believed[chosen] if chosen is not None else 0.0
    score = best
    if best < DOUBTFUL and None not in avoided:
        # The more listings were looked at, the more it says that none of them resembles anything here.
        chosen, score = None, (1 - best) * (1 - contradiction) * said.support / (said.support + FEW)
    elif chosen is None:
        return None
    agreeing = sum(
        count for category, count in said.decided.items() if chosen and dempster_shafer.lies_in(category, chosen)
    )
    grounds = {
        "names": round(float(said.names[places[chosen]].max()), 4),
        "texts": round(float(said.texts[places[chosen]].max()), 4),
        "decided": said.of,
        "agreeing": agreeing,
        "agreement_at_least": round(dempster_shafer.lower_bound(agreeing, said.of), 4) if said.of and chosen else None,
        "contradiction": round(contradiction, 4),
        "rivals": _rivals(believed, chosen),
    }
    agreement = agreeing / said.of if said.of and chosen else None
    similarity = dempster_shafer.beliefs(similar).get(chosen, 0.0) if chosen else 0.0
    return ProposedRule(said.name, chosen, round(score, 4), round(similarity, 4), agreement, said.support, grounds)


def _masses(found: Floats, categories: Sequence[str], between: tuple[float, float], trust: float) -> dict[str, float]:
    """The mass a ground of similarities gives away, by its best, shared with those that are about as similar."""
    best = float(found.max())
    strength = trust * float(np.clip((best - between[0]) / (between[1] - between[0]), 0.0, 1.0))
    if strength <= 0:
        return {}
    nearest = np.argsort(-found, kind="stable")[:RIVALS]
    shares = np.exp((found[nearest] - best) / CLOSE)
    # Equal names may stand at more places than are looked at: each has its part.
    crowd = max(1.0, float((found >= best - 1e-4).sum()) / len(nearest))
    shares = strength * shares / (shares.sum() * crowd)
    return {categories[at]: float(share) for at, share in zip(nearest, shares, strict=True)}


def _largest(masses: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(masses.items(), key=lambda pair: -pair[1])[:RIVALS])


def _rivals(believed: Mapping[str, float], chosen: str | None) -> list[dict[str, Any]]:
    others = [node for node in believed if chosen is None or not dempster_shafer.lies_in(chosen, node)]
    best = sorted(others, key=lambda node: (-believed[node], node))[:3]
    return [{"category": node, "belief": round(believed[node], 4)} for node in best if believed[node] >= 0.05]


def _texts(
    listings: Sequence[CollectedListing],
    members: Sequence[Sequence[int]],
    known: Known,
    categories: Sequence[str],
    encoders: Mapping[str, TextExtractor],
) -> tuple[Floats, list[str]]:
    """Similarities of texts, and which extractors learned from them."""
    kept = {place: at for at, place in enumerate(_spaced(len(listings)))}
    theirs = [listings[place].evidence for place in kept]
    column = {path: at for at, path in enumerate(categories)}
    labelled = [known.labelled[at] for at in _spaced(len(known.labelled)) if known.labelled[at].category in column]
    ours = [Evidence(each.name, each.description, each.attributes) for each in labelled]
    groups = [[kept[place] for place in group if place in kept] for group in members]
    extractors: dict[str, TextExtractor] = {}
    if len(ours) >= LEAST_TEXTS:
        for name in LEARNING[: 1 if len(theirs) + len(ours) < ENOUGH_FOR_COMPANY else None]:
            extractors[name] = cast(TextExtractor, extractor.build_extractor(name)).fit([*theirs, *ours])
    within: list[list[int]] = [[] for _ in categories]
    for at, each in enumerate(labelled):
        for node in dempster_shafer.upwards(each.category):
            if node in column:
                within[column[node]].append(at)
    found = category_similarity.by_texts(theirs, groups, ours, within, extractors | dict(encoders))
    return found, list(extractors)


def _spaced(count: int) -> Iterable[int]:
    if count <= MOST_TEXTS:
        return range(count)
    return [int(place) for place in np.linspace(0, count - 1, MOST_TEXTS)]


def _encoders(weights_path: Callable[[str], Any] | None) -> dict[str, TextExtractor]:
    """Pretrained encoders of text whose weights and libraries are here."""
    ready: dict[str, TextExtractor] = {}
    for row in EXTRACTORS:
        if weights_path is None or row.modality is not Modality.TEXT or not row.takes_weights:
            continue
        weights = find_weights(row.name, weights_path)
        if weights:
            try:
                ready[row.name] = cast(TextExtractor, extractor.build_extractor(row.name, weights)).fit([])
            except (Unavailable, BadArtefact):
                continue
    return ready


def _with(rule: ProposedRule, more: Mapping[str, Any]) -> ProposedRule:
    return ProposedRule(
        rule.source_category,
        rule.category,
        rule.score,
        rule.similarity,
        rule.agreement,
        rule.support,
        {**rule.grounds, **more},
    )
