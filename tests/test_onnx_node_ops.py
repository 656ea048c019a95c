"""The onnx package's node tests of ops that work value by value, and of the formulas that define them."""

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx_nodes import check_node, name_of, node_cases, onnx

CASES = node_cases(
    *("Abs", "Exp", "Log", "Sqrt", "Reciprocal", "Neg", "Pow", "Add", "Sub", "Mul", "Div", "Min", "Max"),
    *("Sum", "Mean", "Relu", "LeakyRelu", "PRelu", "Elu", "Celu", "Selu", "Clip", "Sigmoid", "HardSigmoid"),
    *("Tanh", "HardSwish", "Softplus", "Softsign", "Mish", "Gelu"),
    *(("Swish",) if onnx.defs.has("Swish") else ()),  # since opset 24
    expanded=True,
)
REFUSED = {
    **dict.fromkeys(("pow_types_float32_uint32", "pow_types_float32_uint64"), "must hold floats or integers"),
    **dict.fromkeys(
        ("pow", "pow_example", "pow_bcast_array", "pow_types_float32_*"), "must have one exponent"
    ),
    **dict.fromkeys(("*_int8*", "*int16*", "*int32*", "*int64*", "*_uint8"), "must hold floats"),
    "clip_min_greater_than_max": "must have a lower limit below the upper one",
}


# Those of bfloat16 are computed in bfloat16.
@pytest.mark.parametrize("case", [case for case in CASES if "bfloat16" not in case.name], ids=name_of)
def test_node(case):
    check_node(case, REFUSED, by_value=True)
