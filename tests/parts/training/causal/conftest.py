"""Tiny random causal models: of the workshop (dense and with experts) and of transformers, saved in folders."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402

from isogloss.nn.heads import TokenPredictor  # noqa: E402
from isogloss.nn.moe import MixtureTransformer  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.training.base_models._artifact import causal_predictor  # noqa: E402
from isogloss.training.causal_models import LabCausal  # noqa: E402
from isogloss.training.local_causal import LocalCausal, open_causal  # noqa: E402

SAID = '<s> this : " means in one word red green blue dogs cats run sleep the of is un ##usual'
WORDS = SAID.split()
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def words_tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)} | {"[UNK]": 39}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def _louder(module: torch.nn.Module) -> None:
    for weights in module.parameters():
        if weights.ndim > 1:
            weights.data.mul_(8)  # a new model hardly attends to anything


def lab_model(seed: int = 0, *, experts: int = 0) -> LabCausal:
    config = TransformerConfig(
        vocabulary=40, width=16, layers=2, heads=2, inner=32, positions=48, types=0, causal=True, norm_first=True,
        dropout=0.0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = MixtureTransformer(config, experts=experts, top=2) if experts else Transformer(config)
        predictor: TokenPredictor = causal_predictor(body)
    _louder(body.layers)
    return LabCausal(predictor.eval(), words_tokenizer(), begin=0, window=48)


def write_model(folder, kind: str, seed: int = 0, **settings):
    """Save a tiny random model of transformers with its tokenizer."""
    import transformers

    shared = {
        "vocab_size": 40,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": None,
        "max_position_embeddings": 48,
    }
    own = {
        "gpt2": ("GPT2", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 48}),
        "llama": ("Llama", {**SIZES, "num_key_value_heads": 1}),
        "qwen2": ("Qwen2", {**SIZES, "num_key_value_heads": 1}),
        "mixtral": ("Mixtral", {**SIZES, "num_key_value_heads": 1, "num_local_experts": 3, "num_experts_per_tok": 2}),
        "olmoe": ("Olmoe", {**SIZES, "num_key_value_heads": 1, "num_experts": 3, "num_experts_per_tok": 2}),
        "qwen2-moe": (
            "Qwen2Moe",
            {
                **SIZES,
                "num_key_value_heads": 1,
                "num_experts": 3,
                "num_experts_per_tok": 2,
                "moe_intermediate_size": 24,
                "shared_expert_intermediate_size": 40,
            },
        ),
    }
    name, sizes = own[kind]
    config = getattr(transformers, f"{name}Config")(**shared | sizes | settings)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, f"{name}ForCausalLM" if name != "GPT2" else "GPT2LMHeadModel")(config)
    _louder(model.base_model)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    words_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


KINDS = ["lab", "lab-experts", "gpt2", "llama", "qwen2", "mixtral", "olmoe", "qwen2-moe"]


@pytest.fixture(scope="session")
def model_of(tmp_path_factory):
    """A function from the kind of a model to one, made once."""
    made: dict[str, LabCausal | LocalCausal] = {}

    def of(kind: str) -> LabCausal | LocalCausal:
        if kind not in made:
            if kind.startswith("lab"):
                made[kind] = lab_model(experts=3 if "experts" in kind else 0)
            else:
                made[kind] = open_causal(write_model(tmp_path_factory.mktemp(kind) / kind, kind))
        return made[kind]

    return of


@pytest.fixture(params=KINDS)
def model(request, model_of):
    """Each kind of model in turn."""
    return model_of(request.param)


@pytest.fixture(scope="session")
def model_writer():
    """``write_model`` itself."""
    return write_model
