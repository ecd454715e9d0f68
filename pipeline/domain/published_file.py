"""A file that somebody else publishes, and what it is known by; the files of the networks we take from others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as its publisher gives it: ``size`` in bytes, digests in hex; None where it was never published.

    A ``sha256`` of None is learned from the first file that is accepted; later ones are held to it. ``most`` bytes are
    taken of one whose size nobody published.
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
# By the rules of https://www.tensorflow.org/hub/hosting; neither its size nor a digest is published.
USE_MODULE = PublishedFile(
    "universal-sentence-encoder_4.tar.gz",
    "https://tfhub.dev/google/universal-sentence-encoder/4?tf-hub-format=compressed",
)
