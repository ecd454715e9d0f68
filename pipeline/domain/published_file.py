"""Published files with their sizes and digests, among them the weights of the pretrained networks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as published: ``size`` in bytes, digests in hex; None where the publisher does not state it.

    A ``sha256`` of None is recorded from the first file that is accepted; later ones must match. At most ``most`` bytes
    are downloaded where the size is unknown.
    """

    name: str
    address: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    most: int = 8_000_000_000


VGG16_WEIGHTS = PublishedFile(
    name="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    address="https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    size=58_889_256,
    md5="6d6bbae143d832006294945121d1f1fc",
)
SQUEEZENET_WEIGHTS = PublishedFile(
    name="squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
    address="https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/"
    "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
    size=3_002_560,
    md5="80b66c92d79d4310e07fb60a297bf0d1",
    sha256="17154246284f555591549ac2c83e127abfbf4307dc4b0060fdaa2931d0fa38da",
)
# The address follows https://www.tensorflow.org/hub/hosting; neither size nor digest is published.
USE_MODULE = PublishedFile(
    "universal-sentence-encoder_4.tar.gz",
    "https://tfhub.dev/google/universal-sentence-encoder/4?tf-hub-format=compressed",
)
