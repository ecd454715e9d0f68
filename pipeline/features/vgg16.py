"""VGG16 with ImageNet weights: 512 average-pooled numbers per photo (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

from __future__ import annotations

from typing import ClassVar

from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.backbones import Backbone, find_backbone


class VGG16(PretrainedNetwork):
    """Photos to 512-d vectors by a frozen VGG16; 29 MB when fitted.

    >>> extractor = VGG16(weights="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")  # doctest: +SKIP
    >>> extractor.fit(photos).transform(photos).shape  # doctest: +SKIP
    (8, 512)
    """

    version: ClassVar[int] = 1
    backbone: ClassVar[Backbone] = find_backbone("vgg16")
