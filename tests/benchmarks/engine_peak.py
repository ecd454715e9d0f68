"""The peak of this machine: products of large matrices, by two libraries in each precision.

Each product is a chain, so that converting the first matrix to the precision and the last one back weighs little.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from pipeline.networks.engine import computes_bf16, openvino_module

SIDES = (1024, 1536)
CHAIN = 3


@dataclass(frozen=True)
class Contender:
    """A computation to time: ``run`` does ``work`` thousand million multiply-accumulates (GMAC)."""

    name: str
    precision: str
    work: float
    run: Callable[[], Any]


def products() -> list[Contender]:
    """OpenVINO (oneDNN) at each precision; beside it OpenBLAS for fp32, tensorflow for bf16, ONNX Runtime for int8."""
    found = []
    for side in SIDES:
        possible = ("fp32", "bf16", "int8") if computes_bf16() else ("fp32", "int8")
        found += [_openvino(side, precision) for precision in possible]
        found.append(_numpy(side))
        if computes_bf16():
            found.append(_tensorflow(side))
        if find_spec("onnxruntime") and find_spec("onnx"):
            found.append(_onnxruntime(side))
    return found


def _work(side: int) -> float:
    return CHAIN * side**3 / 1e9


def _matrix(side: int) -> Any:
    return np.random.default_rng(side).uniform(-1, 1, (side, side)).astype(np.float32)


def _openvino(side: int, precision: str) -> Contender:
    openvino = openvino_module()
    ops = openvino.opset13
    given = ops.parameter([side, side], np.float32)
    node = given
    for _ in range(CHAIN):
        weights = ops.constant(_matrix(side))
        if precision == "int8":
            node = ops.fake_quantize(ops.relu(node), 0.0, 255.0, 0.0, 255.0, 256)
            weights = ops.fake_quantize(weights, -1.0, 1.0, -1.0, 1.0, 255)
        node = ops.matmul(node, weights, transpose_a=False, transpose_b=True)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "ENABLE_CPU_PINNING": False,
    }
    compiled = openvino.Core().compile_model(openvino.Model([node], [given]), "CPU", settings)
    request, matrix = compiled.create_infer_request(), _matrix(side)
    return Contender(f"OpenVINO {side}", precision, _work(side), lambda: request.infer([matrix]))


def _numpy(side: int) -> Contender:
    matrix = _matrix(side)

    def run() -> None:
        product = matrix
        for _ in range(CHAIN):
            product = product @ matrix
            product *= 1 / side  # keeps the numbers from overflowing

    return Contender(f"numpy {side}", "fp32", _work(side), run)


def _tensorflow(side: int) -> Contender:
    tensorflow = import_module("tensorflow")
    matrix = tensorflow.cast(tensorflow.constant(_matrix(side)), tensorflow.bfloat16)

    @tensorflow.function  # type: ignore[untyped-decorator]
    def chain(product: Any) -> Any:
        for _ in range(CHAIN):
            product = tensorflow.matmul(product, matrix)
        return product

    return Contender(f"tensorflow {side}", "bf16", _work(side), lambda: chain(matrix).numpy())


def _onnxruntime(side: int) -> Contender:
    onnx, runtime = import_module("onnx"), import_module("onnxruntime")
    weights = onnx.numpy_helper.from_array(np.random.default_rng(0).integers(-127, 127, (side, side), np.int8), "w")
    nodes = [onnx.helper.make_node("MatMulInteger", ["a", "w"], [f"y{each}"]) for each in range(CHAIN)]
    total = onnx.helper.make_node("Sum", [f"s{each}" for each in range(CHAIN)], ["y"])
    corners = [onnx.helper.make_node("ReduceMax", [f"y{each}"], [f"m{each}"], keepdims=0) for each in range(CHAIN)] + [
        onnx.helper.make_node("Cast", [f"m{each}"], [f"s{each}"], to=onnx.TensorProto.FLOAT) for each in range(CHAIN)
    ]
    graph = onnx.helper.make_graph(
        [*nodes, *corners, total],
        "chain",
        [onnx.helper.make_tensor_value_info("a", onnx.TensorProto.UINT8, [side, side])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [])],
        [weights],
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL  # equal products stay four
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    matrix = np.random.default_rng(1).integers(0, 255, (side, side)).astype(np.uint8)
    return Contender(f"ONNX Runtime {side}", "int8", _work(side), lambda: session.run(None, {"a": matrix}))
