"""VGG16 with random weights, computed in the usual ways and by our engine in each precision."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from infra.sample.generator import generate
from pipeline.features import photo_decoding
from pipeline.features.fisher import Fisher
from pipeline.features.vgg16 import VGG16
from pipeline.networks.backbones import network_input
from pipeline.networks.engine import OpenVinoEngine, computes_bf16
from pipeline.networks.precision import Precision, usable_cores
from pipeline.networks.weights_file import read_weights
from tests.benchmarks.engine_peak import Contender
from tests.unit.pipeline.networks.samples import write_weights

ROW = VGG16.backbone
VGG16_NAMES = tuple(layer.name for layer in ROW.layers)
PHOTOS = 24


def arithmetic() -> float:
    """GMAC of one photo: 15.35, nearly all of them in convolutions of 3 by 3."""
    side, total = ROW.side, 0
    for name, (height, width, before, after), _ in ROW.layers:
        side = ROW.side >> (int(name[5]) - 1)  # each block works on maps of half the side
        total += side * side * height * width * before * after
    return total / 1e9


def drawn_photos(count: int = PHOTOS) -> list[Any]:
    """Sample photos, decoded."""
    return [photo_decoding.decode_photo(jpeg) for listing in generate(count * 2) if (jpeg := listing.jpeg())][:count]


def fitted(weights: Path, at: Precision) -> VGG16:
    """Our extractor in a precision."""
    return VGG16(weights=str(weights), precision=at.value).fit(drawn_photos() if at is Precision.INT8 else [])


def make_weights(folder: Path) -> Path:
    """A weights file of the published layout."""
    return write_weights(ROW, folder / ROW.published.name)


def ways(weights: Path) -> list[Contender]:
    """Ways from one prepared photo to its vector, naive Keras first."""
    given = network_input(ROW, drawn_photos(1)[0])
    network = import_module("pipeline.networks.keras_backbone").load_backbone(ROW, weights)
    function = import_module("tensorflow").function(lambda x: network(x, training=False), reduce_retracing=True)
    work = arithmetic()
    found = [
        Contender("model.predict", "fp32", work, lambda: network.predict(given, verbose=0)),
        Contender("tensorflow function", "fp32", work, lambda: function(given).numpy()),
    ]
    if find_spec("onnxruntime") and find_spec("onnx"):
        found.append(Contender("ONNX Runtime", "fp32", work, _onnxruntime(weights, given)))
    for at in Precision:
        if at is Precision.BF16 and not computes_bf16():
            continue
        runner = OpenVinoEngine(fitted(weights, at).network_)

        def run(runner: OpenVinoEngine = runner) -> Any:
            return runner.transform([given])

        found.append(Contender("ours", at.value, work, run))
    return found


def fisher_photos() -> Contender:
    """One photo per core, each described by its own thread; ``work`` is in photos."""
    cores = usable_cores()
    photos = drawn_photos(max(PHOTOS, cores))
    fisher, pool = Fisher().fit(photos), ThreadPoolExecutor(cores)
    return Contender(
        "fisher", "fp32", cores, lambda: list(pool.map(lambda each: fisher.transform([each]), photos[:cores]))
    )


def _onnxruntime(weights: Path, given: Any) -> Callable[[], Any]:
    onnx, runtime = import_module("onnx"), import_module("onnxruntime")
    helper, nodes, arrays, last = onnx.helper, [], [], "photo"
    read = read_weights(ROW, weights)
    for at, name in enumerate(VGG16_NAMES):
        kernel, bias = read[name]
        arrays.append(onnx.numpy_helper.from_array(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), f"{name}_k"))
        arrays.append(onnx.numpy_helper.from_array(bias, f"{name}_b"))
        nodes.append(helper.make_node("Conv", [last, f"{name}_k", f"{name}_b"], [name], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [name], [f"{name}_r"]))
        last = f"{name}_r"
        if at + 1 == len(VGG16_NAMES) or VGG16_NAMES[at + 1][5] != name[5]:
            nodes.append(helper.make_node("MaxPool", [last], [f"{name}_p"], kernel_shape=[2, 2], strides=[2, 2]))
            last = f"{name}_p"
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["vector"]))
    float32, side = onnx.TensorProto.FLOAT, ROW.side
    graph = helper.make_graph(
        nodes,
        "vgg16",
        [helper.make_tensor_value_info("photo", float32, [1, 3, side, side])],
        [helper.make_tensor_value_info("vector", float32, [1, ROW.width, 1, 1])],
        arrays,
    )
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    turned = np.ascontiguousarray(given.transpose(0, 3, 1, 2))
    return lambda: session.run(None, {"photo": turned})
