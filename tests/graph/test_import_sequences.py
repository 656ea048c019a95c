"""What stands beside recurrent layers in files and modules: numbers of steps, linear layers at every step."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from test_import_recurrent import assert_agrees  # noqa: E402

import sparsenn as snn  # noqa: E402


@pytest.mark.parametrize("op, gates", [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_numbers_of_steps_that_are_an_input(op, gates):
    """(batch,) integers of the file are (batch, 1) of the model."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    rng = np.random.default_rng(0)
    arrays = {
        "W": rng.standard_normal((2, gates * 4, 3)).astype(np.float32),
        "R": rng.standard_normal((2, gates * 4, 4)).astype(np.float32) / 2,
    }
    node = helper.make_node(
        op, ["x", "W", "R", "", "counts"], ["y", "last"], hidden_size=4, direction="bidirectional"
    )
    shapes = {"x": [5, "batch", 3], "y": [5, 2, "batch", 4], "last": [2, "batch", 4]}
    x, y, last = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in shapes.items()
    )
    counts = helper.make_tensor_value_info("counts", TensorProto.INT32, ["batch"])
    tensors = [numpy_helper.from_array(own, key) for key, own in arrays.items()]
    graph = helper.make_graph([node], "counted", [x, counts], [y, last], tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    model = snn.from_onnx(made)
    assert [value.dims for value in model.input_values] == [(None, 5, 3), (None, 1)]
    x, counts = rng.standard_normal((5, 6, 3)).astype(np.float32), np.array([5, 1, 3, 2, 4, 5], np.int32)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    y, last = session.run(None, {"x": x, "counts": counts})
    wanted = [y.transpose(2, 0, 1, 3), last.transpose(1, 0, 2)]
    assert_agrees(model, {"x": x.transpose(1, 0, 2), "counts": counts[:, np.newaxis]}, wanted)


@pytest.mark.parametrize("open_steps", [False, True])
def test_a_linear_layer_of_torch_at_every_step(open_steps):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = torch.nn.Linear(3, 5), torch.nn.Linear(8, 2)
            self.layers = torch.nn.GRU(5, 4, batch_first=True, bidirectional=True)

        def forward(self, x):
            return self.last(self.layers(torch.relu(self.first(x)))[0])

    torch.manual_seed(0)
    module = Tagger().eval()
    model = snn.from_torch(module, input_shapes={"x": (None, None if open_steps else 6, 3)})
    for steps in (1, 6, 9) if open_steps else (6,):
        x = torch.randn(4, steps, 3)
        with torch.no_grad():
            np.testing.assert_allclose(model.predict(x.numpy()), module(x).numpy(), atol=1e-5)
