"""from_safetensors with a config: encoders of the BERT family, as their tensors are named."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from encoders import Bert  # noqa: E402
from test_import_safetensors import write  # noqa: E402

import sparsenn as snn  # noqa: E402
from sparsenn.reference import reference_with_bound  # noqa: E402

CONFIG = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "layer_norm_eps": 1e-5}
BERT = {
    **{"words.": "embeddings.word_embeddings.", "places.": "embeddings.position_embeddings."},
    **{"types.": "embeddings.token_type_embeddings.", "norm.": "embeddings.LayerNorm."},
    **{"blocks.": "encoder.layer.", ".attention.q.": ".attention.self.query."},
    **{".attention.k.": ".attention.self.key.", ".attention.v.": ".attention.self.value."},
    **{".attention.out.": ".attention.output.dense.", ".first.": ".attention.output.LayerNorm."},
    **{".up.": ".intermediate.dense.", ".down.": ".output.dense.", ".second.": ".output.LayerNorm."},
    "pool.": "pooler.dense.",
}
DISTILBERT = BERT | {
    **{"blocks.": "transformer.layer.", ".attention.q.": ".attention.q_lin."},
    **{".attention.k.": ".attention.k_lin.", ".attention.v.": ".attention.v_lin."},
    **{".attention.out.": ".attention.out_lin.", ".first.": ".sa_layer_norm.", ".up.": ".ffn.lin1."},
    **{".down.": ".ffn.lin2.", ".second.": ".output_layer_norm."},
}


def tensors_of(module, names: dict, prefix: str = "") -> dict:
    found = {}
    for name, tensor in module.state_dict().items():
        if name in ("ids", "type_ids"):
            continue
        for own, other in names.items():
            name = other + name[len(own) :] if own[-1:] == "." and name.startswith(own) else name
            name = name.replace(own, other) if own.startswith(".") else name
        found[prefix + name] = tensor.numpy()
    return found


def drawn(rng, tokens: int) -> dict:
    mask = np.ones((3, tokens), np.int64)
    for sample in range(1, 3):
        mask[sample, max(1, tokens - 4 * sample) :] = 0
    ids = np.where(mask == 1, rng.integers(2, 101, (3, tokens)), 1)
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "bert with a head", "an old bert"])
def test_agrees_with_torch(kind, tmp_path, rng):
    torch.manual_seed(3)
    distil, counted = kind == "distilbert", kind == "roberta"
    module = Bert(types=kind != "distilbert", counted=counted).eval()
    tensors = tensors_of(module, DISTILBERT if distil else BERT, "bert." if "with" in kind else "")
    config = CONFIG | {"model_type": kind if kind in ("distilbert", "roberta") else "bert"}
    if distil:
        tensors = {name: own for name, own in tensors.items() if not name.startswith("pooler.")}
        config = {"model_type": kind, "dim": 48, "n_layers": 2, "n_heads": 4, "layer_norm_eps": 1e-5}
    if "with" in kind:
        tensors["classifier.weight"] = np.ones((3, 48), np.float32)
    if "old" in kind:
        tensors = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): own
            for name, own in tensors.items()
        }
    name = next(name for name in tensors if "0" in name and name.endswith(("query.weight", "q_lin.weight")))
    tensors[name][rng.random(tensors[name].shape) < 0.8] = 0  # which becomes CSR, in the module as well
    write(tmp_path / "model.safetensors", tensors)
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = snn.from_safetensors(tmp_path / "model.safetensors", config=tmp_path / "config.json")
    assert [layer.sparse for layer in model.linear_layers].count(True) == 1
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    for tokens in (1, 7, 33):
        given = drawn(rng, tokens)
        with torch.no_grad():
            wanted = module(*(torch.from_numpy(array) for array in given.values()))
        got, (exact, bound) = plan.run(given), reference_with_bound(model, given)
        if distil:
            got, exact, bound = ({"last_hidden_state": own} for own in (got, exact, bound))
        for (key, y), theirs in zip(got.items(), wanted, strict=False):
            assert (abs(y - exact[key]) <= bound[key]).all()
            np.testing.assert_allclose(y, theirs.numpy(), rtol=0, atol=4e-6 * abs(theirs.numpy()).max())


@pytest.mark.parametrize(
    "change, error",
    [
        ({"model_type": "t5"}, "model_type of config must be one of bert, .*, got 't5'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type of config must be 'absolute'"),
        ({"num_attention_heads": 5}, "num_attention_heads of config must divide the 48 features, got 5"),
        ({"num_hidden_layers": "2"}, "num_hidden_layers of config must be a whole number"),
        ({"num_hidden_layers": 3}, "must have the tensor 'encoder.layer.2"),
        ({"num_hidden_layers": 1}, "meaning of some tensors of the encoder is not known: encoder.layer.1"),
        ({"hidden_act": "xielu"}, "hidden_act of config must be one of gelu"),
        ({"hidden_size": 44}, "must have shape"),
        *(({"model_type": odd}, "model_type of config must be one of") for odd in ([], {}, None, 1)),
        *(
            ({"layer_norm_eps": odd}, "layer_norm_eps of config must be a number in")
            for odd in (None, "1e-5", [], True, -1e-5, 1e40, float("nan"), 10**400)
        ),
        *(
            ({"model_type": "roberta", "pad_token_id": odd}, "pad_token_id of config must be a whole number")
            for odd in (None, "1", [1], True, -1, 1.0, float("nan"), 1 << 20, 10**400)
        ),
    ],
)
def test_bad_configs(change, error, tmp_path):
    write(tmp_path / "m.safetensors", tensors_of(Bert(), BERT))
    with pytest.raises(snn.SparsennError, match=error):
        snn.from_safetensors(tmp_path / "m.safetensors", config=CONFIG | {"model_type": "bert"} | change)


@pytest.mark.parametrize(
    "name",
    [
        *("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"),
        *("embeddings.LayerNorm.weight", "encoder.layer.0.attention.self.query.bias"),
        "encoder.layer.1.output.dense.weight",
    ],
)
def test_values_that_are_no_weights(name, tmp_path):
    tensors = tensors_of(Bert(), BERT)
    sound = tensors[name].astype(np.float64)
    spoilt = sound.copy()
    spoilt.flat[-1] = np.nan
    for values, error in (
        (1e300 * (1 + sound), "must be finite as float32, got"),
        (spoilt, "must be finite, got nan at"),
        (np.round(100 * sound).astype(np.int64), "must hold floating-point numbers, got int64"),
    ):
        write(tmp_path / "m.safetensors", tensors | {name: values})
        with pytest.raises(snn.SparsennError, match=f"tensor {name!r} {error}"):
            snn.from_safetensors(tmp_path / "m.safetensors", config=CONFIG | {"model_type": "bert"})


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'"x"', b"\xff", b"[" * 100000])
def test_config_that_is_none(content, tmp_path):
    write(tmp_path / "m.safetensors", tensors_of(Bert(), BERT))
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(snn.FormatError, match=r"must be a config\.json"):
        snn.from_safetensors(tmp_path / "m.safetensors", config=tmp_path / "config.json")


def test_layers_or_config(tmp_path):
    for given in ({}, {"layers": [], "config": {}}):
        with pytest.raises(TypeError, match="one of layers and config must be given"):
            snn.from_safetensors(tmp_path / "m.safetensors", **given)
