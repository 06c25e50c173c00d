"""Adapters: what may move moves and nothing else, updates merge exactly, files come back, peft gives the same."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import IncompatibleError, UsageError  # noqa: E402
from isogloss.nn.packing import Packed, pack  # noqa: E402
from isogloss.nn.sentence import SentenceModel  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.training.adapters.bottleneck import Bottleneck, add_bottlenecks  # noqa: E402
from isogloss.training.adapters.freezing import freeze, freeze_below, freeze_but_biases, trainable  # noqa: E402
from isogloss.training.adapters.low_rank import LowRankLinear, add_low_rank, merge_low_rank  # noqa: E402
from isogloss.training.adapters.soft_prompt import SoftPrompted  # noqa: E402
from isogloss.training.adapters.store import load_adapter, save_adapter  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402

WIDTH, INNER, LAYERS = 16, 32, 2
ROWS = [np.array([3, 4, 5, 6]), np.array([7, 8]), np.array([9, 10, 11])]


def transformer(seed=0, **settings):
    torch.manual_seed(seed)
    sizes = {"vocabulary": 40, "width": WIDTH, "layers": LAYERS, "heads": 2, "inner": INNER, "positions": 24}
    return Transformer(TransformerConfig(**sizes, dropout=0.0, **settings)).eval()


class Columns:
    """Two columns of random tokens a step."""

    per_epoch = 4

    def __call__(self, step):
        draw = np.random.default_rng(step)
        return Batch(tuple(pack([draw.integers(0, 40, 5) for _ in range(6)]) for _ in range(2)))


def learn(module, steps=4, precision="fp32"):
    player = Player(module=module, objective=InBatchSoftmax(), optimiser=Optimiser(learning_rate=0.05))
    train(Stage(batches=Columns(), players=[player], steps=steps, precision=precision), seed=0)
    return module.eval()


PREPARED = {
    "low rank": lambda model: add_low_rank(model, rank=2),
    "low rank everywhere": lambda model: add_low_rank(model, rank=2, layers=["*"]),
    "bottleneck": lambda model: add_bottlenecks(model, size=4),
    "biases": freeze_but_biases,
    "top layer": lambda model: freeze_below(model.transformer, -1),
    "by name": lambda model: freeze(model, only=["*norm.weight", "*.1.up.*"]),
}
LAYER_NORMS = 2 * 2 * WIDTH
COUNTED = {
    "low rank": LAYERS * 2 * 2 * (WIDTH + WIDTH),
    "low rank everywhere": LAYERS * 2 * (4 * 2 * WIDTH + 2 * (WIDTH + INNER)),
    "bottleneck": LAYERS * (2 * (4 * WIDTH + 4 + 4 * WIDTH + WIDTH) + LAYER_NORMS),
    "biases": WIDTH + LAYERS * (4 * WIDTH + INNER + WIDTH + 2 * WIDTH),
    "top layer": 4 * (WIDTH * WIDTH + WIDTH) + 2 * WIDTH * INNER + INNER + WIDTH + LAYER_NORMS,
    "by name": WIDTH + LAYERS * 2 * WIDTH + WIDTH * INNER + INNER,
}


@pytest.mark.parametrize("kind", list(PREPARED))
def test_what_may_move_moves_and_nothing_else(kind):
    model = SentenceModel(transformer())
    assert PREPARED[kind](model) == COUNTED[kind] == trainable(model)
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    moving = {name for name, one in model.named_parameters() if one.requires_grad}
    learn(model)
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    # the bias of a key is added to all scores of a softmax alike: it has no gradient
    assert {name for name in moving if "key.bias" not in name} <= moved <= moving


@pytest.mark.parametrize("kind", ["low rank", "low rank everywhere", "bottleneck"])
def test_nothing_changes_before_training(kind):
    model = SentenceModel(transformer())
    clean = model(pack(ROWS))
    PREPARED[kind](model)
    assert torch.equal(model(pack(ROWS)), clean)


@pytest.mark.parametrize("layers", [("*.query", "*.value"), ("*",)])
def test_merged_is_unmerged(layers):
    model = SentenceModel(transformer())
    names = set(dict(model.named_parameters()))
    add_low_rank(model, rank=3, layers=layers, seed=1)
    learn(model)
    apart, plain = model(pack(ROWS)), SentenceModel(transformer())(pack(ROWS))
    count = len([one for one in model.modules() if isinstance(one, LowRankLinear)])
    assert merge_low_rank(model) == count > 0
    assert set(dict(model.named_parameters())) == names
    assert torch.allclose(model(pack(ROWS)), apart, atol=1e-6)
    assert not torch.allclose(apart, plain, atol=1e-3)


def test_a_low_rank_update_by_hand():
    base = torch.nn.Linear(2, 2, bias=False)
    base.weight.data = torch.eye(2)
    adapted = LowRankLinear(base, rank=1, alpha=3.0)
    adapted.down.data, adapted.up.data = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0], [0.0]])
    x = torch.tensor([[1.0, 1.0]])  # A x = 3, B A x = (3, 0), times alpha / rank = 3
    assert adapted(x).tolist() == [[10.0, 1.0]]
    assert adapted.merged().weight.tolist() == [[4.0, 6.0], [0.0, 1.0]]


def test_peft_computes_the_same():
    peft = pytest.importorskip("peft")
    ours, theirs = transformer(), transformer()
    add_low_rank(ours, rank=2, alpha=4.0, seed=5)
    config = peft.LoraConfig(r=2, lora_alpha=4, target_modules=["query", "value"], lora_dropout=0.0)
    theirs = peft.inject_adapter_in_model(config, theirs).eval()
    for number, layer in enumerate(ours.layers):
        for name in ("query", "value"):
            one, other = getattr(layer, name), getattr(theirs.layers[number], name)
            one.up.data.normal_(generator=torch.Generator().manual_seed(number))
            other.lora_A["default"].weight.data = one.down.data.clone()
            other.lora_B["default"].weight.data = one.up.data.clone()
    assert torch.allclose(ours(pack(ROWS)), theirs(pack(ROWS)), atol=1e-6)
    moving = sum(one.numel() for one in theirs.parameters() if one.requires_grad)
    assert moving == trainable(ours)


def test_a_bottleneck_by_hand():
    inner = torch.nn.Linear(1, 1)
    inner.weight.data, inner.bias.data = torch.tensor([[2.0]]), torch.tensor([1.0])
    adapter = Bottleneck(inner, 1)
    for name, value in (("down", 1.0), ("up", 10.0)):
        getattr(adapter, name).weight.data = torch.tensor([[value]])
    y = torch.tensor([[7.0]])  # 2 * 3 + 1, and gelu(7) is 7 to ten digits
    assert adapter(torch.tensor([[3.0]])).item() == pytest.approx(float(y) + 70.0, rel=1e-6)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_soft_prompt_is_a_prefix(norm_first):
    """With the rows of real tokens it is those tokens in front of each text."""
    body = transformer(norm_first=norm_first)
    prompted = SoftPrompted(copy.deepcopy(body), length=2)
    prompted.prompt.data = body.embeddings.word.weight[torch.tensor([20, 21])].detach().clone()
    before = [np.concatenate([[20, 21], row]) for row in ROWS]
    whole = body(pack(before))
    own = torch.cat([torch.arange(a + 2, b) for a, b in zip((0, 6, 10), (6, 10, 15), strict=True)])
    assert torch.allclose(prompted(pack(ROWS)), whole[own], atol=1e-6)
    types = Packed(pack(ROWS).ids, pack(ROWS).offsets, torch.zeros(9, dtype=torch.int64))
    assert torch.allclose(prompted(types), whole[own], atol=1e-6)


def test_only_the_soft_prompt_moves():
    model = SentenceModel(SoftPrompted(transformer(), length=3, seed=2))
    assert trainable(model) == 3 * WIDTH
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    learn(model)
    assert [n for n, one in model.named_parameters() if not torch.equal(one, before[n])] == ["transformer.prompt"]


@pytest.mark.parametrize("kind", list(PREPARED))
def test_what_moved_is_saved_and_loaded(kind, tmp_path):
    model = SentenceModel(transformer())
    count = PREPARED[kind](model)
    learn(model)
    path = tmp_path / "adapter.safetensors"
    assert save_adapter(model, path) == count
    assert path.stat().st_size < 4 * count + 4000
    assert [one.name for one in tmp_path.iterdir()] == ["adapter.safetensors"]
    other = SentenceModel(transformer())
    PREPARED[kind](other)
    assert load_adapter(other, path) == count
    assert torch.equal(other(pack(ROWS)), model(pack(ROWS)))


def test_an_adapter_of_another_model_is_refused(tmp_path):
    model = SentenceModel(transformer())
    add_low_rank(model, rank=2)
    save_adapter(model, tmp_path / "a.safetensors")
    other = SentenceModel(transformer(seed=1))
    add_low_rank(other, rank=2)
    clean = other(pack(ROWS))
    with pytest.raises(IncompatibleError, match="another base model"):
        load_adapter(other, tmp_path / "a.safetensors")
    wider = SentenceModel(transformer())
    add_low_rank(wider, rank=3)
    with pytest.raises(IncompatibleError, match="do not fit"):
        load_adapter(wider, tmp_path / "a.safetensors")
    assert torch.equal(other(pack(ROWS)), clean)
    with pytest.raises(UsageError, match="no adapter to save"):
        save_adapter(SentenceModel(transformer()).requires_grad_(False), tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda model: freeze(model, only="layer.*"), "no weight is called 'layer"),
        (lambda model: freeze_below(model, 2), "no layer 2"),
        (lambda model: add_low_rank(model, layers=["*.q"]), "no linear layer"),
        (lambda model: add_low_rank(model, rank=99), "rank"),
        (lambda model: add_bottlenecks(model, size=0), "width"),
        (lambda model: add_bottlenecks(torch.nn.Linear(2, 2)), "no layer to adapt"),
        (lambda model: SoftPrompted(model, length=24), "24 vectors"),
    ],
)
def test_wrong_settings_are_said(wrong, said):
    with pytest.raises(UsageError, match=said):
        wrong(transformer())


def test_seeds_repeat_and_the_callers_draws_stay():
    first, second, third = (SentenceModel(transformer()) for _ in range(3))
    torch.manual_seed(9)
    expected = torch.rand(1)
    torch.manual_seed(9)
    for model, seed in ((first, 4), (second, 4), (third, 5)):
        add_low_rank(model, rank=2, seed=seed)
    assert torch.equal(torch.rand(1), expected)
    weights = [model.transformer.layers[0].query.down for model in (first, second, third)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_low_rank_learns_in_bfloat16():
    model = SentenceModel(transformer())
    add_low_rank(model, rank=2)
    before = model.transformer.layers[0].query.down.detach().clone()
    learn(model, precision="bf16")
    assert not torch.equal(model.transformer.layers[0].query.down, before)
    assert torch.isfinite(model(pack(ROWS))).all()
