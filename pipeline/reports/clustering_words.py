"""The words of the report about further ways to cluster, as ``words`` has the others."""

from __future__ import annotations

from collections.abc import Mapping

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
