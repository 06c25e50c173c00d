"""Deep prompts: hand values, a naive loop over tokens as the oracle, keys of real tokens, nothing else moves."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.sentence import SentenceModel  # noqa: E402
from isogloss.nn.transformer import Layer, Layout, Transformer, TransformerConfig, relative_buckets  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.training.adapters.deep_prompt import PromptedLayer, add_deep_prompts  # noqa: E402
from isogloss.training.adapters.freezing import trainable  # noqa: E402
from isogloss.training.adapters.store import load_adapter, save_adapter  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402

WIDTH, HEADS, LENGTH = 8, 2, 3
ROWS = [np.array([3, 4, 5, 6]), np.array([7, 8]), np.array([9, 10, 11])]
CUTS = [(0, 4), (4, 6), (6, 9)]


def body(**settings):
    torch.manual_seed(0)
    sizes = {"vocabulary": 20, "width": WIDTH, "layers": 2, "heads": HEADS, "inner": 16, "positions": 12}
    model = Transformer(TransformerConfig(**sizes, dropout=0.0, **settings)).eval()
    for parameter in model.parameters():
        parameter.data.normal_(std=0.5)
    return model


def layout_of(model, rows=ROWS):
    relative = None if model.relative is None else model.relative.weight
    return Layout(pack(rows), causal=model.config.causal, relative=relative)


def naive(layer, x, model):
    """Attention token by token, head by head, over the prompt and the text's own tokens."""
    size, out = WIDTH // HEADS, torch.zeros_like(x)
    for a, b in CUTS:
        bias = torch.zeros(b - a, b - a, HEADS)
        if model.relative is not None:
            bias = model.relative.weight[relative_buckets(b - a, len(model.relative.weight))]
        for i in range(a, b):
            for head in range(HEADS):
                cut = slice(head * size, (head + 1) * size)
                seen = range(a, i + 1 if model.config.causal else b)
                keys = [*layer.prompt_keys[:, cut], *(layer.key(x[j])[cut] for j in seen)]
                values = [*layer.prompt_values[:, cut], *(layer.value(x[j])[cut] for j in seen)]
                extra = [0.0] * len(layer.prompt_keys) + [float(bias[i - a, j - a, head]) for j in seen]
                scores = [float(layer.query(x[i])[cut] @ key) / math.sqrt(size) for key in keys]
                weights = torch.softmax(torch.tensor(scores) + torch.tensor(extra), 0)
                out[i, cut] = sum(w * value for w, value in zip(weights, values, strict=True))
    return layer.attention_out(out)


@pytest.mark.parametrize("settings", [{}, {"causal": True}, {"buckets": 8}, {"norm_first": True}])
def test_a_naive_loop_sees_the_same(settings):
    model = body(**settings)
    layer = PromptedLayer(copy.deepcopy(model.layers[0]), LENGTH)
    torch.nn.init.normal_(layer.prompt_keys)
    torch.nn.init.normal_(layer.prompt_values)
    x = torch.randn(9, WIDTH)
    with torch.no_grad():
        assert torch.allclose(layer._attend(x, layout_of(model)), naive(layer, x, model), atol=1e-5)


def test_a_prompt_by_hand():
    """One head of width 1: the query 1 sees a key ln 3 with value 8 and its own key 0 with value 4: 3/4 and 1/4."""
    layer = Layer(TransformerConfig(vocabulary=3, width=1, layers=1, heads=1, inner=1, dropout=0.0))
    for name, weight, bias in (
        ("query", 0.0, 1.0),
        ("key", 0.0, 0.0),
        ("value", 0.0, 4.0),
        ("attention_out", 1.0, 0.0),
    ):
        getattr(layer, name).weight.data.fill_(weight)
        getattr(layer, name).bias.data.fill_(bias)
    prompted = PromptedLayer(layer, 1)
    prompted.prompt_keys.data.fill_(math.log(3))
    prompted.prompt_values.data.fill_(8.0)
    seen = prompted._attend(torch.zeros(1, 1), Layout(pack([np.array([1])]), causal=False))
    assert seen.item() == pytest.approx(7.0, rel=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_keys_of_real_tokens_are_these_tokens_in_front(causal):
    model = body(causal=causal)
    layer = model.layers[1]
    front, x = torch.randn(2, WIDTH), torch.randn(9, WIDTH)
    prompted = PromptedLayer(copy.deepcopy(layer), 2)
    prompted.prompt_keys.data, prompted.prompt_values.data = layer.key(front).detach(), layer.value(front).detach()
    longer = torch.cat([part for a, b in CUTS for part in (front, x[a:b])])
    whole = layer._attend(longer, layout_of(model, [np.concatenate([[1, 2], row]) for row in ROWS]))
    own = torch.cat([torch.arange(a + 2 * n, b + 2 * n) for n, (a, b) in enumerate(CUTS, 1)])
    assert torch.allclose(prompted._attend(x, layout_of(model)), whole[own], atol=1e-6)


class Columns:
    """Two columns of random tokens a step."""

    per_epoch = 4

    def __call__(self, step):
        draw = np.random.default_rng(step)
        return Batch(tuple(pack([draw.integers(0, 20, size) for size in (5, 3, 4)]) for _ in range(2)))


def learned(model, precision="fp32"):
    player = Player(module=model, objective=InBatchSoftmax(), optimiser=Optimiser(learning_rate=0.05))
    train(Stage(batches=Columns(), players=[player], steps=4, precision=precision), seed=0)
    return model.eval()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_nothing_but_the_prompts_moves(precision):
    model = SentenceModel(body())
    names = set(dict(model.named_parameters()))
    assert add_deep_prompts(model, length=LENGTH) == trainable(model) == 2 * 2 * LENGTH * WIDTH
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    learned(model, precision)
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    assert moved == set(before) - names == {name for name in before if "prompt_" in name}
    assert torch.isfinite(model(pack(ROWS))).all()


def test_a_prompt_of_no_length_is_the_base():
    model = SentenceModel(body())
    with torch.no_grad():
        clean = model(pack(ROWS))
        assert add_deep_prompts(model, length=0) == 0
        assert torch.equal(model(pack(ROWS)), clean)
    prompted = SentenceModel(body())
    add_deep_prompts(prompted, length=1)
    assert not torch.allclose(prompted(pack(ROWS)), clean, atol=1e-4)


def test_prompts_are_saved_loaded_and_seeded(tmp_path):
    models = [SentenceModel(body()) for _ in range(3)]
    for model, seed in zip(models, (4, 4, 5), strict=True):
        add_deep_prompts(model, length=LENGTH, seed=seed)
    first, second, third = (model(pack(ROWS)) for model in models)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    learned(models[0])
    save_adapter(models[0], tmp_path / "prompt.safetensors")
    load_adapter(models[1], tmp_path / "prompt.safetensors")
    assert torch.equal(models[1](pack(ROWS)), models[0](pack(ROWS)))
    assert not torch.equal(models[1](pack(ROWS)), first)


def test_wrong_prompts_are_said():
    with pytest.raises(UsageError, match="no layer to prompt"):
        add_deep_prompts(torch.nn.Linear(2, 2))
    with pytest.raises(UsageError, match="-1 keys"):
        add_deep_prompts(body(), length=-1)
