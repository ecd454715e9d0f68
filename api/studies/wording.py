"""The words of the pages about studies, in English and French; the report itself brings its own."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "fr")
WORDS: Mapping[str, tuple[str, str]] = {
    "studies": ("Studies", "Études"),
    "about": (
        "Can the catalogue be categorised automatically, from text, photos, or both? A study answers with figures.",
        "Le catalogue peut-il être catégorisé automatiquement, d’après le texte, les photos, les deux ? Une étude "
        "répond par des chiffres.",
    ),
    "none": ("No study yet.", "Pas encore d’étude."),
    "none_how": (
        "One starts by itself once listings with categories are there, or here, or with",
        "Une étude démarre d’elle-même dès qu’il y a des annonces avec catégories, ou ici, ou avec",
    ),
    "older": ("Older »", "Plus anciennes »"),
    "start": ("Start a study", "Lancer une étude"),
    "taxonomy": ("Catalogue", "Catalogue"),
    "sample": ("Listings at most", "Annonces au plus"),
    "sample_all": ("all of them", "toutes"),
    "go": ("Start", "Lancer"),
    "bad_sample": (
        "The number of listings must be a whole number from 2 to 1,000,000, or empty.",
        "Le nombre d’annonces doit être un entier de 2 à 1 000 000, ou vide.",
    ),
    "bad_taxonomy": ("Choose the catalogue to study.", "Choisissez le catalogue à étudier."),
    "study": ("Study", "Étude"),
    "when": ("Started", "Lancée"),
    "by": ("by", "par"),
    "schedule": ("the schedule", "le calendrier"),
    "status": ("Status", "État"),
    "verdict": ("Verdict", "Verdict"),
    "text": ("Text", "Texte"),
    "image": ("Photo", "Photo"),
    "fused": ("Both", "Les deux"),
    "listings": ("Listings", "Annonces"),
    "best": ("Best ARI of protocol B, study by study", "Meilleur ARI du protocole B, étude après étude"),
    "running": ("running", "en cours"),
    "done": ("done", "terminée"),
    "failed": ("failed", "échouée"),
    "waiting": ("waiting", "en attente"),
    "unavailable": ("unavailable", "indisponible"),
    "feasible": ("feasible", "faisable"),
    "promising": ("promising", "prometteur"),
    "not_feasible": ("not feasible yet", "pas encore faisable"),
    "study_of": ("Study {number} of {taxonomy}", "Étude {number} de {taxonomy}"),
    "by_hand": (
        "A study is under way. Without scripts this page shows how far it is when you",
        "Une étude est en cours. Sans scripts, cette page montre son avancement quand vous",
    ),
    "reload": ("reload it", "la rechargez"),
    "refreshes": (
        "This page refreshes by itself; the report appears here when the study is done.",
        "Cette page se met à jour d’elle-même ; le rapport apparaîtra ici à la fin de l’étude.",
    ),
    "why_failed": ("The study ended without a report.", "L’étude s’est terminée sans rapport."),
    "no_report": (
        "The study is done, but its report is not in the storage any more.",
        "L’étude est terminée, mais son rapport n’est plus dans le stockage.",
    ),
    "extractors": ("Extractors", "Extracteurs"),
    "supervised": ("Trained on labels", "Entraînement sur étiquettes"),
    "sample_stage": ("drawing the sample", "tirage de l’échantillon"),
    "trial_stage": ("extractors at work", "extracteurs au travail"),
    "clusterings": ("Also compare with k-means", "Comparer aussi à k-means"),
    "spectral": ("spectral", "spectral"),
    "hdbscan": ("HDBSCAN", "HDBSCAN"),
    "compared": ("Other ways to cluster", "D’autres façons de regrouper"),
    "compare_stage": ("other ways to cluster", "d’autres façons de regrouper"),
    "combine_stage": ("text and photo together", "texte et photo ensemble"),
    "supervised_stage": ("training on labels", "entraînement sur étiquettes"),
    "conclude_stage": ("writing the report", "rédaction du rapport"),
    "download": ("Download", "Télécharger"),
    "one_file": ("report as one file", "rapport en un fichier"),
    "language": ("Language", "Langue"),
    "back": ("« Studies", "« Études"),
}


class StudyWords:
    """The words in one language: ``words("start")``."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __call__(self, key: str, **fields: object) -> str:
        """The words of a key, filled in; KeyError for an unknown one."""
        return WORDS[key][LANGUAGES.index(self.code)].format(**fields)

    def number(self, value: float | None) -> str:
        """A figure with two decimals, a dash for none."""
        if value is None:
            return "–"
        return f"{value:.2f}".replace(".", "," if self.code == "fr" else ".")


def preferred(asked: str, accepted: str) -> str:
    """The language to answer in: what was asked for, else what the Accept-Language header likes best."""
    if asked in LANGUAGES:
        return asked
    liked = []
    for place, part in enumerate(accepted.split(",")[:20]):
        name, _, weight = part.partition(";q=")
        code = name.strip()[:2].lower()
        try:
            share = float(weight) if weight else 1.0
        except ValueError:
            share = 0.0
        if code in LANGUAGES and share > 0:
            liked.append((-share, place, code))
    return min(liked)[2] if liked else LANGUAGES[0]
