"""The convolutions of the backbones, in their order: names in the weights files, and shapes.

Only what both Keras and the readers of weights files need to know; how the layers are connected is in ``keras_*.py``.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple


class ConvLayer(NamedTuple):
    """A convolution with biases: its ``kernel`` is (height, width, in, out), and (height, width, in, 1) by depth.

    ``biases``: their number, that of the channels that leave the layer.
    """

    name: str
    kernel: tuple[int, int, int, int]
    biases: int


def convolution(name: str, side: int, inputs: int, outputs: int) -> ConvLayer:
    """A convolution of all channels, with a square kernel."""
    return ConvLayer(name, (side, side, inputs, outputs), outputs)


def depthwise_convolution(name: str, side: int, channels: int) -> ConvLayer:
    """A convolution of each channel by itself, with a square kernel."""
    return ConvLayer(name, (side, side, channels, 1), channels)


_VGG16_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
_VGG16_NAMES = tuple(
    f"block{block}_conv{conv}" for block, convs in enumerate((2, 2, 3, 3, 3), start=1) for conv in range(1, convs + 1)
)
VGG16_LAYERS = tuple(
    convolution(name, 3, inputs, outputs)
    for name, inputs, outputs in zip(_VGG16_NAMES, (3, *_VGG16_WIDTHS), _VGG16_WIDTHS, strict=False)
)

# By fire module: number, width of the squeeze layer, width of each of the two expand layers.
SQUEEZENET_FIRES = (
    (2, 16, 64),
    (3, 16, 64),
    (4, 32, 128),
    (5, 32, 128),
    (6, 48, 192),
    (7, 48, 192),
    (8, 64, 256),
    (9, 64, 256),
)


def _squeezenet_layers() -> tuple[ConvLayer, ...]:
    layers = [convolution("conv1", 3, 3, 64)]
    inputs = 64
    for number, squeeze, expand in SQUEEZENET_FIRES:
        layers.append(convolution(f"fire{number}/squeeze1x1", 1, inputs, squeeze))
        layers.append(convolution(f"fire{number}/expand1x1", 1, squeeze, expand))
        layers.append(convolution(f"fire{number}/expand3x3", 3, squeeze, expand))
        inputs = 2 * expand
    return tuple(layers)


SQUEEZENET_LAYERS = _squeezenet_layers()


class InvertedBottleneck(NamedTuple):
    """A block of EfficientNet-Lite: expand the channels, convolve each by itself, project them to fewer.

    ``expanded`` equals ``inputs`` where there is no expansion. A block that keeps size and channels adds its input.
    """

    name: str
    kernel: int
    stride: int
    inputs: int
    expanded: int
    outputs: int

    @property
    def expands(self) -> bool:
        """Whether the block begins with an expansion."""
        return self.expanded != self.inputs

    @property
    def is_residual(self) -> bool:
        """Whether the block adds its input to its output."""
        return self.stride == 1 and self.inputs == self.outputs

    def layers(self) -> list[ConvLayer]:
        """Its convolutions."""
        expand = [convolution(f"{self.name}/expand", 1, self.inputs, self.expanded)] if self.expands else []
        return [
            *expand,
            depthwise_convolution(f"{self.name}/depthwise", self.kernel, self.expanded),
            convolution(f"{self.name}/project", 1, self.expanded, self.outputs),
        ]


LITE_STEM_WIDTH = 32
LITE_HEAD_WIDTH = 1_280
_WIDTH_STEP = 8
# By stage: blocks, kernel, stride of the first block, factor of expansion, width.
_LITE_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def _lite_blocks(wider: float, deeper: float) -> tuple[InvertedBottleneck, ...]:
    """The blocks of EfficientNet-Lite, scaled; stem, head and the depth of the first and last stage are not."""
    blocks: list[InvertedBottleneck] = []
    inputs = LITE_STEM_WIDTH
    for stage, (repeats, kernel, stride, factor, base_width) in enumerate(_LITE_STAGES):
        outputs = _rounded_width(wider * base_width)
        repeats = repeats if stage in {0, len(_LITE_STAGES) - 1} else ceil(deeper * repeats)
        for repeat in range(repeats):
            name = f"block{len(blocks) + 1}"
            blocks.append(
                InvertedBottleneck(name, kernel, stride if repeat == 0 else 1, inputs, factor * inputs, outputs)
            )
            inputs = outputs
    return tuple(blocks)


def _rounded_width(width: float) -> int:
    """The nearest multiple of _WIDTH_STEP, but no more than a tenth below ``width``."""
    rounded = max(_WIDTH_STEP, int(width + _WIDTH_STEP / 2) // _WIDTH_STEP * _WIDTH_STEP)
    return rounded if rounded >= 0.9 * width else rounded + _WIDTH_STEP


def lite_layers(blocks: tuple[InvertedBottleneck, ...]) -> tuple[ConvLayer, ...]:
    """All convolutions of an EfficientNet-Lite with these blocks."""
    return (
        convolution("stem", 3, 3, LITE_STEM_WIDTH),
        *(layer for block in blocks for layer in block.layers()),
        convolution("head", 1, blocks[-1].outputs, LITE_HEAD_WIDTH),
    )


LITE_BLOCKS = {"efficientnet": _lite_blocks(1.0, 1.0), "efficientnet_lite2": _lite_blocks(1.1, 1.2)}
