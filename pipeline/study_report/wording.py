"""Every word of the report, in English and in French, in one table.

``{name}`` is filled in; of ``one|many`` the part is taken that fits the number ``n`` (French counts 0 as one).
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "fr")

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Feasibility study", "Étude de faisabilité"),
    "title_of": ("Feasibility study of {subject}", "Étude de faisabilité : {subject}"),
    "study": ("study", "étude"),
    "study_number": ("study {number}", "étude {number}"),
    # the verdict
    "verdict": ("Verdict", "Verdict"),
    "feasible": ("feasible", "faisable"),
    "promising": ("promising", "prometteur"),
    "not_feasible": ("not feasible yet", "pas encore faisable"),
    "headline_feasible": (
        "Yes: this catalogue can be categorised automatically.",
        "Oui : ce catalogue peut être catégorisé automatiquement.",
    ),
    "headline_promising": (
        "Probably: the categories show in the listings, but not clearly enough yet.",
        "Probablement : les catégories se voient dans les annonces, mais pas encore assez nettement.",
    ),
    "headline_not_feasible": (
        "Not yet: what the listings say and show does not tell these categories apart.",
        "Pas encore : ce que les annonces disent et montrent ne distingue pas ces catégories.",
    ),
    "reason_groups": (
        "Without seeing a single label, {extractor} groups the listings much as sellers did: ARI {ari} "
        "(0 is chance, 1 is perfect).",
        "Sans voir une seule étiquette, {extractor} regroupe les annonces à peu près comme les vendeurs : ARI {ari} "
        "(0 : hasard, 1 : parfait).",
    ),
    "reason_groups_low": (
        "Without labels, the best grouping, by {extractor}, agrees with the sellers' categories at ARI {ari} "
        "(0 is chance, 1 is perfect).",
        "Sans étiquettes, le meilleur regroupement, par {extractor}, rejoint les catégories des vendeurs à ARI {ari} "
        "(0 : hasard, 1 : parfait).",
    ),
    "reason_supervised": (
        "Trained on labels ({modality}), an estimator is right for {accuracy} of the listings it had not seen.",
        "Entraîné sur des étiquettes ({modality}), un estimateur a raison pour {accuracy} des annonces qu’il n’avait "
        "pas vues.",
    ),
    "reason_nothing": ("No extractor could be judged.", "Aucun extracteur n’a pu être jugé."),
    "threshold_ari": ("Feasible from ARI {ari}.", "Faisable à partir d’un ARI de {ari}."),
    "threshold_accuracy": (
        "Feasible from {accuracy} right on unseen listings.",
        "Faisable à partir de {accuracy} de réponses justes sur annonces jamais vues.",
    ),
    "next": ("Next", "Et ensuite"),
    "next_feasible": (
        "train a model (rayon train), promote it, and let people review what it is unsure of.",
        "entraînez un modèle (rayon train), promouvez-le, et faites relire ce dont il n’est pas sûr.",
    ),
    "next_shelves": (
        "First look at the {n} listing that is probably in the wrong category.|First look at the {n} listings that "
        "are probably in the wrong category.",
        "Regardez d’abord l’annonce sans doute mal rangée.|Regardez d’abord les {n} annonces sans doute mal rangées.",
    ),
    "next_promising": (
        "look at the hardest pairs below, merge or clarify those categories, add listings where there are few, and "
        "study again.",
        "regardez les paires difficiles ci-dessous, fusionnez ou précisez ces catégories, ajoutez des annonces là où "
        "il y en a peu, puis refaites l’étude.",
    ),
    "next_not_feasible": (
        "check that the categories are something listings can show, that texts and photos are there, or study a "
        "coarser level.",
        "vérifiez que les catégories sont visibles dans les annonces, que textes et photos sont là, ou étudiez un "
        "niveau plus grossier.",
    ),
    # key figures
    "key_figures": ("Key figures", "Chiffres clés"),
    "text": ("text", "texte"),
    "image": ("photo", "photo"),
    "fused": ("text and photo", "texte et photo"),
    "best_text": ("From the text", "D’après le texte"),
    "best_image": ("From the photo", "D’après la photo"),
    "best_fused": ("From both", "D’après les deux"),
    "best_supervised": ("Trained on labels", "Entraîné sur étiquettes"),
    "right_unseen": ("right on unseen listings", "juste sur annonces jamais vues"),
    "ari_by": ("ARI, {extractor}", "ARI, {extractor}"),
    "not_studied": ("not studied", "non étudié"),
    "since": ("since study {number}", "depuis l’étude {number}"),
    "listings": ("{n} listing|{n} listings", "{n} annonce|{n} annonces"),
    "categories_n": ("{n} category|{n} categories", "{n} catégorie|{n} catégories"),
    "level_of": ("level {level} of {of}", "niveau {level} sur {of}"),
    "levels": ("Levels of the taxonomy", "Niveaux de la taxonomie"),
    "levels_note": (
        "The maps shown of the best extractors, divided into as many groups as each level has categories (one seed). "
        "Another level is studied in full with --level.",
        "Les cartes montrées des meilleurs extracteurs, divisées en autant de groupes que le niveau a de catégories "
        "(une graine). Un autre niveau s’étudie en entier avec --level.",
    ),
    "this_level": ("studied here", "étudié ici"),
    "categories": ("Categories", "Catégories"),
    "enough": ("Listings in categories of 20 or more", "Annonces dans des catégories de 20 ou plus"),
    "studied_of": ("{studied} of {listings} studied", "{studied} sur {listings} étudiées"),
    # ranking
    "ranking": ("Extractors, ranked", "Classement des extracteurs"),
    "ranking_note": (
        "How well groups found without labels agree with the sellers' categories: mean over the seeds, and the 95 % "
        "interval. The two protocols are measured differently and are never compared with each other.",
        "Accord entre les groupes trouvés sans étiquettes et les catégories des vendeurs : moyenne sur les graines et "
        "intervalle à 95 %. Les deux protocoles mesurent autrement et ne se comparent jamais l’un à l’autre.",
    ),
    "protocol_A": ("Protocol A: k-means on the features", "Protocole A : k-means sur les caractéristiques"),
    "protocol_B": ("Protocol B: k-means on the t-SNE map", "Protocole B : k-means sur la carte t-SNE"),
    "threshold_line": ("clear from {ari}", "net dès {ari}"),
    "no_trials": ("No extractor finished under this protocol.", "Aucun extracteur n’a abouti avec ce protocole."),
    "extractor": ("Extractor", "Extracteur"),
    "modality": ("Sees", "Voit"),
    "method": ("Method", "Méthode"),
    "ari": ("ARI", "ARI"),
    "interval": ("95 % interval", "Intervalle à 95 %"),
    "ami": ("AMI", "AMI"),
    "v_measure": ("V-measure", "V-mesure"),
    "silhouette": ("Silhouette", "Silhouette"),
    "assigned_accuracy": ("Accuracy after assignment", "Exactitude après affectation"),
    # maps, matrix, recall
    "explore": ("Maps of the catalogue", "Cartes du catalogue"),
    "explore_note": (
        "Each mark is a listing; near means alike to the extractor. Where both maps show the same colour, the "
        "grouping found without labels agrees with the seller.",
        "Chaque marque est une annonce ; proches veut dire semblables pour l’extracteur. Là où les deux cartes ont la "
        "même couleur, le regroupement sans étiquettes rejoint le vendeur.",
    ),
    "choose_extractor": ("Extractor", "Extracteur"),
    "by_category": ("By the seller's category", "Par catégorie du vendeur"),
    "by_cluster": ("By cluster", "Par groupe trouvé"),
    "map_of": ("t-SNE map by {extractor}", "Carte t-SNE par {extractor}"),
    "drawn_part": (
        "{drawn} of {total} listings are drawn, taken evenly over the categories; every figure counts them all.",
        "{drawn} annonces sur {total} sont dessinées, prises également dans les catégories ; les chiffres les comptent "
        "toutes.",
    ),
    "grouped_by_parent": (
        "{n} categories are too many for colours: a colour is a parent category.",
        "{n} catégories sont trop pour des couleurs : une couleur est une catégorie parente.",
    ),
    "grouped_by_size": (
        "{n} categories are too many for colours: the largest have one, the others are grey.",
        "{n} catégories sont trop pour des couleurs : les plus grandes en ont une, les autres sont grises.",
    ),
    "others": ("others", "autres"),
    "map_hint": ("Seed {seed} of the t-SNE.", "Graine {seed} du t-SNE."),
    "in_cluster": ("cluster of", "groupe de"),
    "open": ("Open the listing", "Ouvrir l’annonce"),
    "close": ("Close", "Fermer"),
    "matrix": ("Clusters against categories", "Groupes contre catégories"),
    "matrix_note": (
        "Rows: the seller's category. Columns: the category its cluster was given by the optimal assignment. The "
        "diagonal agrees.",
        "Lignes : la catégorie du vendeur. Colonnes : la catégorie donnée au groupe par l’affectation optimale. La "
        "diagonale est en accord.",
    ),
    "recall": ("Recall by category", "Rappel par catégorie"),
    "recall_note": (
        "Share of a category's listings that its own cluster holds.",
        "Part des annonces d’une catégorie tombées dans son groupe.",
    ),
    "category": ("Category", "Catégorie"),
    "show_rest": ("Show the {n} other|Show the {n} others", "Montrer l’autre|Montrer les {n} autres"),
    "no_maps": ("No extractor left a map.", "Aucun extracteur n’a laissé de carte."),
    # pairs
    "pairs": ("Hardest pairs", "Paires difficiles"),
    "pairs_note": (
        "Categories that the grouping by {extractor} confuses most, with listings that fell on the other side.",
        "Catégories que le regroupement par {extractor} confond le plus, avec des annonces tombées de l’autre côté.",
    ),
    "confused": ("{n} listing confused|{n} listings confused", "{n} annonce confondue|{n} annonces confondues"),
    "of_both": ("{share} of both", "{share} des deux"),
    "no_pairs": ("No two categories were confused.", "Aucune paire de catégories n’a été confondue."),
    "said": ("grouped with {category}", "groupée avec {category}"),
    # supervised
    "together": ("Feasibility and production quality", "Faisabilité et qualité en production"),
    "together_note": (
        "Left: grouping without labels (protocol B). Right: estimators trained on labels and judged on listings they "
        "had not seen, {folds} folds, {repeats} times, copies of a photo kept in one fold.",
        "À gauche : regroupement sans étiquettes (protocole B). À droite : estimateurs entraînés sur étiquettes et "
        "jugés sur des annonces jamais vues, {folds} plis, {repeats} fois, les copies d’une photo dans un même pli.",
    ),
    "together_plain": (
        "Left: grouping without labels (protocol B). Right: estimators trained on labels.",
        "À gauche : regroupement sans étiquettes (protocole B). À droite : estimateurs entraînés sur étiquettes.",
    ),
    "unsupervised": ("Without labels", "Sans étiquettes"),
    "supervised": ("Trained on labels", "Entraîné sur étiquettes"),
    "evidence": ("Evidence", "Éléments vus"),
    "name": ("name", "nom"),
    "description": ("description", "description"),
    "attributes": ("attributes", "attributs"),
    "photo": ("photo", "photo"),
    "accuracy": ("Accuracy", "Exactitude"),
    "macro_f1": ("Macro F1", "Macro F1"),
    "no_supervised": (
        "Nothing was trained in this study: the figures without labels stand alone.",
        "Rien n’a été entraîné dans cette étude : les chiffres sans étiquettes sont seuls.",
    ),
    "curve": ("Learning curve", "Courbe d’apprentissage"),
    "curve_note": (
        "Accuracy on unseen listings by labelled listings per category.",
        "Exactitude sur annonces jamais vues selon le nombre d’annonces étiquetées par catégorie.",
    ),
    "per_category": ("Listings per category", "Annonces par catégorie"),
    # wrong shelves
    "shelves": ("Probably on the wrong shelf", "Sans doute mal rangées"),
    "shelves_note": (
        "Listings whose category an estimator that had not seen them doubts most, with the nearest listings as "
        "evidence.",
        "Annonces dont la catégorie est la plus douteuse pour un estimateur qui ne les avait pas vues, avec les "
        "annonces les plus proches comme preuve.",
    ),
    "shelves_weak": (
        "The estimator itself is right for {accuracy} only: most of these are its own errors.",
        "L’estimateur n’a lui-même raison que pour {accuracy} : la plupart sont ses propres erreurs.",
    ),
    "not_judged": ("Not judged in this study.", "Pas jugé dans cette étude."),
    "no_shelves": ("No listing stood out.", "Aucune annonce ne ressort."),
    "given": ("Seller's category", "Catégorie du vendeur"),
    "proposed": ("Proposed", "Proposée"),
    "confidence": ("Confidence", "Confiance"),
    "nearest": ("Nearest listings", "Annonces les plus proches"),
    "similar": ("similarity {share}", "similarité {share}"),
    "listing": ("Listing", "Annonce"),
    "more_in_table": (
        "The table holds {n} more.|The table holds {n} more.",
        "Le tableau en contient {n} de plus.|Le tableau en contient {n} de plus.",
    ),
    "no_photo": ("no photo", "pas de photo"),
    "no_name": ("without a name", "sans nom"),
    # cost, missing, trend, method
    "cost": ("Time and memory", "Temps et mémoire"),
    "time_A": ("Time, protocol A", "Temps, protocole A"),
    "time_B": ("Time, protocol B", "Temps, protocole B"),
    "memory": ("Peak memory", "Mémoire maximale"),
    "reused": ("Reused", "Repris"),
    "reused_note": (
        "Reused: listings whose features an earlier study had stored.",
        "Repris : annonces dont une étude antérieure avait gardé les caractéristiques.",
    ),
    "dimensions": ("Dimensions", "Dimensions"),
    "missing": ("Not in the ranking, and why", "Hors classement, et pourquoi"),
    "unavailable": ("unavailable", "indisponible"),
    "failed": ("failed", "échec"),
    "waiting": ("never ran", "jamais lancé"),
    "no_reason": ("no reason was given", "sans raison donnée"),
    "trend": ("Trend over studies", "Évolution au fil des études"),
    "trend_note": (
        "Best ARI of protocol B. Studies of other listings are not strictly comparable: the fingerprint tells.",
        "Meilleur ARI du protocole B. Des études d’autres annonces ne se comparent pas strictement : l’empreinte le "
        "dit.",
    ),
    "first_study": ("This is the first study of this catalogue.", "C’est la première étude de ce catalogue."),
    "date": ("Date", "Date"),
    "this_study": ("this study", "cette étude"),
    "fingerprint": ("Fingerprint of the listings", "Empreinte des annonces"),
    "measured": ("How it was measured", "Comment on a mesuré"),
    "measured_A": (
        "Text or photo is cleaned and turned into features, standardised, reduced by PCA (99 % of the variance, at "
        "most 100 dimensions), then grouped by k-means into as many clusters as there are categories.",
        "Texte ou photo est nettoyé et changé en caractéristiques, standardisé, réduit par ACP (99 % de la variance, "
        "100 dimensions au plus), puis groupé par k-means en autant de groupes qu’il y a de catégories.",
    ),
    "measured_B": (
        "As A, but k-means works on the two dimensions of a t-SNE map.",
        "Comme A, mais k-means travaille sur les deux dimensions d’une carte t-SNE.",
    ),
    "measured_ari": (
        "Adjusted Rand index: agreement of two groupings, corrected for chance. AMI and V-measure say the same by "
        "information; the silhouette says how well clusters are separated and needs no labels.",
        "Indice de Rand ajusté : accord de deux regroupements, corrigé du hasard. AMI et V-mesure disent la même chose "
        "par l’information ; la silhouette dit la séparation des groupes, sans étiquettes.",
    ),
    "level": ("Level of the categories", "Niveau des catégories"),
    "seeds": ("Seeds", "Graines"),
    "perplexity": ("Perplexity of the t-SNE", "Perplexité du t-SNE"),
    "libraries": ("Libraries", "Bibliothèques"),
    "duration": ("Duration", "Durée"),
    "subject": ("Catalogue", "Catalogue"),
    "studied": ("Listings studied", "Annonces étudiées"),
    "without": ("Without photo / without text", "Sans photo / sans texte"),
    "created": ("Made on", "Faite le"),
    "files": ("Files", "Fichiers"),
    "files_note": ("Every figure and its numbers.", "Chaque figure et ses nombres."),
    "figure": ("figure", "figure"),
    "table": ("table", "tableau"),
    "whole_report": ("This report as one file", "Ce rapport en un fichier"),
    "all_figures": ("Every figure as JSON", "Tous les chiffres en JSON"),
}


CLUSTERINGS: Mapping[str, tuple[str, str]] = {
    "clusterings": ("Other ways to cluster", "D’autres façons de regrouper"),
    "clusterings_note": (
        "The best features of each kind, clustered in other ways over the same seeds. Spectral clustering is told the "
        "number of categories, as k-means is; HDBSCAN finds a number of its own, and what lies between its clusters is "
        "noise, which counts as one more cluster. Ranking, verdict and trend remain those of k-means.",
        "Les meilleures caractéristiques de chaque sorte, regroupées autrement avec les mêmes graines. Le regroupement "
        "spectral connaît le nombre de catégories, comme k-means ; HDBSCAN trouve le sien, et ce qui tombe entre ses "
        "groupes est du bruit, compté comme un groupe de plus. Classement, verdict et évolution restent ceux de "
        "k-means.",
    ),
    "clusterings_B": ("On the t-SNE map (protocol B)", "Sur la carte t-SNE (protocole B)"),
    "clusterings_A": ("On the features (protocol A)", "Sur les caractéristiques (protocole A)"),
    "clusterings_time": (
        "Time is that of clustering alone, all seeds together.",
        "Le temps est celui du seul regroupement, toutes graines ensemble.",
    ),
    "clusterings_sampled": (
        "Of more than 5,000 listings a sample is compared, each category with its share: what these ways cost grows "
        "with the square of their number.",
        "Au-delà de 5 000 annonces, un échantillon est comparé, chaque catégorie avec sa part : le coût de ces façons "
        "croît comme le carré de leur nombre.",
    ),
    "kmeans": ("k-means", "k-means"),
    "spectral": ("Spectral", "Spectral"),
    "hdbscan": ("HDBSCAN", "HDBSCAN"),
    "clusters_found": ("Clusters", "Groupes"),
    "noise": ("Noise", "Bruit"),
    "time": ("Time", "Temps"),
}
