"""SqueezeNet v1.1, ImageNet weights: 512 average-pooled numbers per photo (Iandola et al. 2016, arXiv:1602.07360)."""

from __future__ import annotations

from typing import ClassVar

from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.backbones import Backbone, find_backbone


class SqueezeNet(PretrainedNetwork):
    """Photos to 512-d vectors by a frozen SqueezeNet, with a twentieth of VGG16's arithmetic; 1.6 MB when fitted.

    >>> extractor = SqueezeNet(weights="squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5")  # doctest: +SKIP
    >>> extractor.fit(photos).transform(photos).shape  # doctest: +SKIP
    (8, 512)
    """

    version: ClassVar[int] = 2
    backbone: ClassVar[Backbone] = find_backbone("squeezenet")
