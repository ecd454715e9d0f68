"""SqueezeNet v1.1 with ImageNet weights: 512 average-pooled numbers a photo (Iandola et al. 2016, arXiv:1602.07360)."""

from __future__ import annotations

from typing import ClassVar

from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.backbones import Backbone, find_backbone


class SqueezeNet(PretrainedNetwork):
    """Photos to 512-d vectors by a frozen SqueezeNet, at a twentieth of VGG16's arithmetic; a fitted one is 1.6 MB.

    >>> extractor = SqueezeNet(weights="squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5")  # doctest: +SKIP
    >>> extractor.fit(photos).transform(photos).shape  # doctest: +SKIP
    (8, 512)
    """

    version: ClassVar[int] = 2
    backbone: ClassVar[Backbone] = find_backbone("squeezenet")
