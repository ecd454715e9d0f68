"""EfficientNet-Lite with ImageNet weights: 1,280 average-pooled numbers per photo (Tan & Le 2019, arXiv:1905.11946)."""

from __future__ import annotations

from typing import ClassVar

from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.backbones import Backbone, find_backbone


class EfficientNetLite0(PretrainedNetwork):
    """Photos to 1,280-d vectors by a frozen EfficientNet-Lite0 (75.1 % of ImageNet); 7 MB when fitted.

    >>> extractor = EfficientNetLite0(weights="efficientnet-lite0-57934424.pth")  # doctest: +SKIP
    >>> extractor.fit(photos).transform(photos).shape  # doctest: +SKIP
    (8, 1280)
    """

    version: ClassVar[int] = 1
    backbone: ClassVar[Backbone] = find_backbone("efficientnet")


class EfficientNetLite2(PretrainedNetwork):
    """Photos to 1,280-d vectors by a frozen EfficientNet-Lite2 (77.6 % of ImageNet, 260 pixels); 10 MB when fitted."""

    version: ClassVar[int] = 1
    backbone: ClassVar[Backbone] = find_backbone("efficientnet_lite2")
