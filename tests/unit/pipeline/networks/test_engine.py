"""The OpenVINO runner, on a network of one multiplication."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.errors import BadArtefact
from pipeline.networks.engine import GRAPH_FILE, ExportedNetwork, OpenVinoEngine, openvino_module


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> ExportedNetwork:
    """The mean colour of a picture of 2 by 2 pixels, times 2, 3 and 4."""
    openvino = openvino_module()
    ops = openvino.opset13
    picture = ops.parameter([1, 2, 2, 3], dtype=np.float32)
    mean = ops.reduce_mean(picture, np.array([1, 2]))
    model = openvino.Model([ops.multiply(mean, np.array([[2, 3, 4]], dtype=np.float32))], [picture])
    folder = tmp_path_factory.mktemp("network")
    openvino.save_model(model, folder / GRAPH_FILE)
    return ExportedNetwork.from_folder(folder)


@pytest.mark.parametrize("threads", [0, 1])
def test_rows_come_in_the_order_of_the_inputs(doubling: ExportedNetwork, threads: int) -> None:
    inputs = [np.full((1, 2, 2, 3), value, dtype=np.float32) for value in (1, 5, -2)]
    got = OpenVinoEngine(doubling, threads).transform(inputs)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [[2, 3, 4], [10, 15, 20], [-4, -6, -8]], rtol=1e-3)


def test_no_input_gives_no_rows(doubling: ExportedNetwork) -> None:
    assert OpenVinoEngine(doubling).transform([]).shape == (0, 3)


def test_a_damaged_graph_is_refused(doubling: ExportedNetwork) -> None:
    with pytest.raises(BadArtefact, match="no network OpenVINO can read"):
        OpenVinoEngine(ExportedNetwork(doubling.graph[:200], doubling.weights))


def test_truncated_weights_are_refused(doubling: ExportedNetwork) -> None:
    with pytest.raises(BadArtefact, match="no network OpenVINO can read"):
        OpenVinoEngine(ExportedNetwork(doubling.graph, doubling.weights[:2]))
