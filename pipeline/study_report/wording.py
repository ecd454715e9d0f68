"""The texts of the report by key, in English; the message catalogues have the other languages.

``{name}`` is a placeholder; a pair has the singular and the plural form, selected by the number ``n``.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.localisation.message_catalogues import gettext_noop as _
from pipeline.localisation.message_catalogues import ngettext_noop as _n

WORDS: Mapping[str, str | tuple[str, str]] = {
    "title": _("Feasibility study"),
    "title_of": _("Feasibility study of {subject}"),
    "study": _("study"),
    "study_number": _("study {number}"),
    # the verdict
    "verdict": _("Verdict"),
    "feasible": _("feasible"),
    "promising": _("promising"),
    "not_feasible": _("not feasible yet"),
    "headline_feasible": _("Yes: this catalogue can be categorised automatically."),
    "headline_promising": _("Probably: the categories show in the listings, but not clearly enough yet."),
    "headline_not_feasible": _("Not yet: texts and photos do not separate these categories."),
    "reason_groups": _(
        "Without seeing a single label, {extractor} groups the listings much as sellers did: ARI {ari} (0 is "
        "chance, 1 is perfect)."
    ),
    "reason_groups_low": _(
        "Without labels, the best grouping, by {extractor}, agrees with the sellers' categories at ARI {ari} (0 "
        "is chance, 1 is perfect)."
    ),
    "reason_supervised": _(
        "Trained on labels ({modality}), an estimator is right for {accuracy} of the listings it had not seen."
    ),
    "reason_nothing": _("No extractor could be judged."),
    "threshold_ari": _("Feasible from ARI {ari}."),
    "threshold_accuracy": _("Feasible from {accuracy} right on unseen listings."),
    "next": _("Next"),
    "next_feasible": _("train a model (rayon train), promote it, and let people review what it is unsure of."),
    "next_shelves": _n(
        "First look at the {n} listing that is probably in the wrong category.",
        "First look at the {n} listings that are probably in the wrong category.",
    ),
    "next_promising": _(
        "look at the hardest pairs below, merge or clarify those categories, add listings where there are few, "
        "and study again."
    ),
    "next_not_feasible": _(
        "check that the categories are something listings can show, that texts and photos are there, or study a "
        "coarser level."
    ),
    # key figures
    "key_figures": _("Key figures"),
    "text": _("text"),
    "image": _("photo"),
    "fused": _("text and photo"),
    "best_text": _("From the text"),
    "best_image": _("From the photo"),
    "best_fused": _("From both"),
    "best_supervised": _("Trained on labels"),
    "right_unseen": _("right on unseen listings"),
    "ari_by": _("ARI, {extractor}"),
    "not_studied": _("not studied"),
    "since": _("since study {number}"),
    "listings": _n("{n} listing", "{n} listings"),
    "categories_n": _n("{n} category", "{n} categories"),
    "level_of": _("level {level} of {of}"),
    "levels": _("Levels of the taxonomy"),
    "levels_note": _(
        "The maps shown of the best extractors, divided into as many groups as each level has categories (one "
        "seed). Another level is studied in full with --level."
    ),
    "this_level": _("studied here"),
    "categories": _("Categories"),
    "enough": _("Listings in categories of 20 or more"),
    "studied_of": _("{studied} of {listings} studied"),
    # ranking
    "ranking": _("Extractors, ranked"),
    "ranking_note": _(
        "How well groups found without labels agree with the sellers' categories: mean over the seeds, and the "
        "95 % interval. The two protocols are measured differently and are never compared with each other."
    ),
    "protocol_A": _("Protocol A: k-means on the features"),
    "protocol_B": _("Protocol B: k-means on the t-SNE map"),
    "threshold_line": _("clear from {ari}"),
    "no_trials": _("No extractor finished under this protocol."),
    "extractor": _("Extractor"),
    "modality": _("Input"),
    "method": _("Method"),
    "ari": _("ARI"),
    "interval": _("95 % interval"),
    "ami": _("AMI"),
    "v_measure": _("V-measure"),
    "silhouette": _("Silhouette"),
    "assigned_accuracy": _("Accuracy after assignment"),
    # maps, matrix, recall
    "explore": _("Maps of the catalogue"),
    "explore_note": _(
        "Each mark is a listing; near means alike to the extractor. Where both maps show the same colour, the "
        "grouping found without labels agrees with the seller."
    ),
    "by_category": _("By the seller's category"),
    "by_cluster": _("By cluster"),
    "map_of": _("t-SNE map by {extractor}"),
    "drawn_part": _(
        "{drawn} of {total} listings are drawn, taken evenly over the categories; every figure counts them all."
    ),
    "grouped_by_parent": _("{n} categories are too many for colours: a colour is a parent category."),
    "grouped_by_size": _("{n} categories are too many for colours: the largest have one, the others are grey."),
    "others": _("others"),
    "map_hint": _("Seed {seed} of the t-SNE."),
    "in_cluster": _("cluster of"),
    "open": _("Open the listing"),
    "close": _("Close"),
    "matrix": _("Clusters against categories"),
    "matrix_note": _(
        "Rows: the seller's category. Columns: the category its cluster was given by the optimal assignment. The "
        "diagonal agrees."
    ),
    "recall": _("Recall by category"),
    "recall_note": _("Share of a category's listings that its own cluster holds."),
    "category": _("Category"),
    "show_rest": _n("Show the {n} other", "Show the {n} others"),
    "no_maps": _("No extractor left a map."),
    # pairs
    "pairs": _("Hardest pairs"),
    "pairs_note": _(
        "Categories that the grouping by {extractor} confuses most, with listings that fell on the other side."
    ),
    "confused": _n("{n} listing confused", "{n} listings confused"),
    "of_both": _("{share} of both"),
    "no_pairs": _("No two categories were confused."),
    "said": _("grouped with {category}"),
    # supervised
    "together": _("Feasibility and production quality"),
    "together_note": _(
        "Left: grouping without labels (protocol B). Right: estimators trained on labels and judged on listings "
        "they had not seen, {folds} folds, {repeats} times, copies of a photo kept in one fold."
    ),
    "together_plain": _("Left: grouping without labels (protocol B). Right: estimators trained on labels."),
    "unsupervised": _("Without labels"),
    "supervised": _("Trained on labels"),
    "evidence": _("Evidence"),
    "name": _("name"),
    "description": _("description"),
    "attributes": _("attributes"),
    "photo": _("photo"),
    "accuracy": _("Accuracy"),
    "macro_f1": _("Macro F1"),
    "no_supervised": _("Nothing was trained in this study: the figures without labels stand alone."),
    "curve": _("Learning curve"),
    "curve_note": _("Accuracy on unseen listings by labelled listings per category."),
    "per_category": _("Listings per category"),
    # label issues
    "shelves": _("Probably in the wrong category"),
    "shelves_note": _(
        "Listings whose category an estimator that had not seen them doubts most, with the nearest listings as "
        "evidence."
    ),
    "shelves_weak": _("The estimator itself is right for {accuracy} only: most of these are its own errors."),
    "not_judged": _("Not judged in this study."),
    "no_shelves": _("No listing stood out."),
    "given": _("Seller's category"),
    "proposed": _("Proposed"),
    "confidence": _("Confidence"),
    "nearest": _("Nearest listings"),
    "listing": _("Listing"),
    "more_in_table": _n("The table holds {n} more.", "The table holds {n} more."),
    "no_photo": _("no photo"),
    # cost, missing, trend, method
    "cost": _("Time and memory"),
    "time_A": _("Time, protocol A"),
    "time_B": _("Time, protocol B"),
    "memory": _("Peak memory"),
    "reused": _("Reused"),
    "reused_note": _("Reused: listings whose features an earlier study had stored."),
    "dimensions": _("Dimensions"),
    "missing": _("Not in the ranking, and why"),
    "unavailable": _("unavailable"),
    "failed": _("failed"),
    "waiting": _("never ran"),
    "no_reason": _("no reason was given"),
    "trend": _("Trend over studies"),
    "trend_note": _(
        "Best ARI of protocol B. Studies of other listings are not strictly comparable: the fingerprint tells."
    ),
    "first_study": _("This is the first study of this catalogue."),
    "date": _("Date"),
    "this_study": _("this study"),
    "fingerprint": _("Fingerprint of the listings"),
    "measured": _("How it was measured"),
    "measured_A": _(
        "Text or photo is cleaned and turned into features, standardised, reduced by PCA (99 % of the variance, "
        "at most 100 dimensions), then grouped by k-means into as many clusters as there are categories."
    ),
    "measured_B": _("As A, but k-means works on the two dimensions of a t-SNE map."),
    "measured_ari": _(
        "Adjusted Rand index: agreement of two groupings, corrected for chance. AMI and V-measure say the same "
        "by information; the silhouette says how well clusters are separated and needs no labels."
    ),
    "level": _("Level of the categories"),
    "seeds": _("Seeds"),
    "perplexity": _("Perplexity of the t-SNE"),
    "libraries": _("Libraries"),
    "duration": _("Duration"),
    "subject": _("Catalogue"),
    "studied": _("Listings studied"),
    "without": _("Without photo / without text"),
    "created": _("Created on"),
    "files": _("Files"),
    "figure": _("figure"),
    "whole_report": _("This report as one file"),
    "all_figures": _("All values as JSON"),
    # other ways to cluster
    "clusterings": _("Other ways to cluster"),
    "clusterings_note": _(
        "The best features of each kind, clustered in other ways over the same seeds. Spectral clustering is "
        "told the number of categories, as k-means is; HDBSCAN finds a number of its own, and what lies between "
        "its clusters is noise, which counts as one more cluster. Ranking, verdict and trend remain those of "
        "k-means."
    ),
    "clusterings_B": _("On the t-SNE map (protocol B)"),
    "clusterings_A": _("On the features (protocol A)"),
    "clusterings_time": _("Time is that of clustering alone, all seeds together."),
    "clusterings_sampled": _(
        "Of more than 5,000 listings a sample is compared, each category with its share: what these ways cost "
        "grows with the square of their number."
    ),
    "kmeans": _("k-means"),
    "spectral": _("Spectral"),
    "hdbscan": _("HDBSCAN"),
    "clusters_found": _("Clusters"),
    "noise": _("Noise"),
    "time": _("Time"),
}
