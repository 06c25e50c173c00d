"""Causal language models of transformers from a folder on this machine, behind the seam of ``causal_models``."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.errors import MissingExtraError, ModelError
from isogloss.nn.packing import Packed
from isogloss.training.causal_models import Passed, Wanted, attention_and_linear, check_wanted
from isogloss.training.weights_digest import module_identity

_NO_LIMIT = 1_000_000
_LENGTHS = ("max_position_embeddings", "n_positions")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


class LocalCausal:
    """A causal language model of transformers.

    Parameters
    ----------
    model
        From ``AutoModelForCausalLM``.
    tokenizer
        A ``tokenizers.Tokenizer``.
    begin, end
        Tokens that stand before and after every input.
    blank
        Token that stands for an input without any.
    window
        Most tokens of an input.
    name
        For messages.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, begin: tuple[int, ...], end: tuple[int, ...] = (), blank: int = 0,
        window: int, name: str = "causal-model",
    ) -> None:  # fmt: skip
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name
        self.begin, self.end, self.blank, self.window = begin, end, blank, window
        config = model.config.get_text_config()
        self.width, self.depth = int(config.hidden_size), int(config.num_hidden_layers)
        self.vocabulary = int(model.get_output_embeddings().weight.shape[0])
        self._config = config

    @cached_property
    def experts(self) -> tuple[int, int]:
        """How many layers have a router, and how many experts each has; one token is sent through to see."""
        if not any(getattr(self._config, name, 0) for name in _EXPERTS):
            return 0, 0
        one = Packed(torch.zeros(1, dtype=torch.int64), torch.tensor([0, 1]))
        routing = _routing(self._body(*_padded(one), routing=True), torch.tensor([[True]]), self.name)
        return int(routing.shape[1]), int(routing.shape[2])

    @cached_property
    def identity(self) -> str:
        """Hash of weights, sizes and tokenizer."""
        told = [self.tokenizer.to_str(), self.begin, self.end, self.blank, str(self._config.model_type)]
        return module_identity([*told, _settings(self._config)], self.model)

    def __call__(self, packed: Packed, wanted: Wanted) -> Passed:
        """Run the model over packed tokens, without gradients."""
        check_wanted(self, wanted)
        ids, real = _padded(packed)  # (n, L), (n, L)
        mask = real.to(torch.int64)  # (n, L)
        if wanted.bidirectional:
            mask = real[:, None, None, :].expand(-1, 1, ids.shape[1], -1)  # (n, 1, L, L): taken as it is
        logits = routing = out = None
        if wanted.logits:  # by the model's own head, which may scale or cap them
            out, logits = self._with_logits(ids, mask, packed.lengths - 1)
        if out is None or wanted.routing:
            out = self._body(ids, mask, routing=wanted.routing)
        if wanted.routing:
            routing = _routing(out, real, self.name)
        states = {layer: out.hidden_states[layer][real].float() for layer in wanted.layers}  # (T, width) each
        return Passed(states, logits, routing)

    def multiply_adds(self, lengths: Tensor) -> int:
        """Return what texts of these lengths ``(n,)`` cost, logits apart: one for each weight that a token meets."""
        config, each = self._config, 0.0
        experts = max((getattr(config, name, 0) or 0 for name in _EXPERTS), default=0)
        share = (getattr(config, "num_experts_per_tok", experts) or experts) / experts if experts else 1.0
        tables = {id(one.weight) for one in self.model.modules() if isinstance(one, torch.nn.Embedding)}
        for name, weight in self.model.base_model.named_parameters():
            if weight.ndim > 1 and id(weight) not in tables:
                each += weight.numel() * (share if ".experts." in name else 1.0)
        return self.depth * attention_and_linear(lengths, self.width, round(each / self.depth))

    def _body(self, ids: Tensor, mask: Tensor, *, routing: bool) -> Any:
        asked: dict[str, Any] = {"output_router_logits": True} if routing else {}
        with torch.no_grad():
            return self.model.base_model(
                input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False, **asked
            )

    def _with_logits(self, ids: Tensor, mask: Tensor, last: Tensor) -> tuple[Any, Tensor]:
        places, inverse = torch.unique(last, return_inverse=True)  # (k,), (n,)
        with torch.no_grad():
            out = self.model(
                input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False, logits_to_keep=places
            )
        return out, out.logits[torch.arange(len(ids)), inverse].float()  # (n, vocabulary)


def open_causal(folder: str | Path, *, window: int = 512) -> LocalCausal:
    """Open a causal language model of transformers from a folder: safetensors only, no code of the folder, no network.

    Inputs begin and end with the tokens that the folder's tokenizer adds. Where it adds none, an input without a token
    is the token that the configuration names for the beginning, or else for the end.

    Parameters
    ----------
    folder
        With ``config.json``, ``tokenizer.json`` and weights.
    window
        Most tokens of an input; what the model can take, where that is less.

    Raises
    ------
    MissingExtraError
        Where transformers is not installed.
    ModelError
        Where a file is missing, or transformers knows no causal model of this kind.

    Examples
    --------
    With a folder on the machine::

        model = open_causal("models/SmolLM-135M")
        encoder = PromptedEncoder(model, prompts=ECHO, reading=StateReading("mean"))
    """
    try:
        from transformers import AutoModelForCausalLM
    except ImportError as error:
        what = "transformers is not installed"
        raise MissingExtraError(what, "it reads causal models", "pip install isogloss[train]") from error
    folder = Path(folder)
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    missing += [] if any(folder.glob("*.safetensors")) else ["*.safetensors"]
    if missing:
        raise ModelError("the folder is no causal model that can be read", f"{folder}: no {', '.join(missing)}",
                         "save it with transformers, safe_serialization=True")  # fmt: skip
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
        )
    except (ValueError, OSError, KeyError) as error:
        raise ModelError("transformers cannot open the folder", f"{folder}: {error}", "") from error
    file = TokenizerFile(folder, max_length=_NO_LIMIT)
    around = file.tokenizer.encode("a").ids
    begin, end = tuple(around[: file.before]), tuple(around[len(around) - file.after :])
    config = model.config.get_text_config()
    named = [config.bos_token_id, config.eos_token_id, config.pad_token_id, 0]
    blank = next(int(one) for one in named if isinstance(one, int))
    longest = min([window, *(getattr(config, name) for name in _LENGTHS if getattr(config, name, None))])
    return LocalCausal(
        model, file.tokenizer, begin=begin, end=end, blank=blank, window=longest, name=folder.resolve().name
    )


def _padded(packed: Packed) -> tuple[Tensor, Tensor]:
    """Return ids padded on the right ``(n, L)``, where a causal model cannot see them, and which are real."""
    longest = int(packed.lengths.max())
    real = torch.arange(longest)[None, :] < packed.lengths[:, None]  # (n, L)
    ids = torch.zeros(len(packed), longest, dtype=torch.int64).masked_scatter(real, packed.ids)  # (n, L)
    return ids, real


def _routing(out: Any, real: Tensor, name: str) -> Tensor:
    found = getattr(out, "router_logits", None) or ()
    layers = [one.float().reshape(*real.shape, -1)[real] for one in found if one is not None]  # (T, experts) each
    if not layers or len({one.shape[1] for one in layers}) > 1:
        why = f"it gives router logits of {sorted({one.shape[1] for one in layers})} experts"
        raise ModelError(f"the routers of {name} cannot be read", why, "")
    routing = torch.stack(layers, dim=1)  # (T, layers, experts)
    # some architectures give probabilities under the same name; logits of all tokens never sum to one
    ready = bool((routing >= 0).all()) and bool(torch.allclose(routing.sum(2), torch.ones(()), atol=1e-4))
    return routing if ready else torch.softmax(routing, 2)


def _settings(config: Any) -> str:
    """Return what decides the states beside the weights: rotary bases, norms, activations; not names and versions."""
    said = config.to_diff_dict()
    left_out = {"_name_or_path", "transformers_version", "dtype", "torch_dtype", "use_cache", "architectures"}
    return repr(sorted((key, repr(value)) for key, value in said.items() if key not in left_out))
