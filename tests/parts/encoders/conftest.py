"""A loopback embedding server whose answers a test decides."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Reply = tuple[int, Any]


def openai_reply(vectors: np.ndarray, encoding: str = "float") -> Reply:
    """Return what ``/v1/embeddings`` answers, the items in reversed order (``index`` decides)."""
    rows = [
        base64.b64encode(np.asarray(v, "<f4").tobytes()).decode() if encoding == "base64" else np.asarray(v).tolist()
        for v in vectors
    ]
    items = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return 200, {"object": "list", "data": items[::-1], "model": "m"}


@pytest.fixture
def server() -> Iterator[Callable[..., Any]]:
    """Start ``server(answer)``: ``answer(path, body, headers) -> (status, object)``; the URL has ``.requests``."""
    running = []

    class Url(str):
        requests: list[tuple[str, Any, dict[str, str]]]

    def start(answer: Callable[[str, Any, dict[str, str]], Reply]) -> Url:
        seen: list[tuple[str, Any, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = json.loads(body) if body else None
                headers = dict(self.headers)
                seen.append((self.path, asked, headers))
                status, found = answer(self.path, asked, headers)
                content = found.encode() if isinstance(found, str) else json.dumps(found).encode()
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", str(found))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = handle_any

            def log_message(self, *_: object) -> None:
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append((http, thread))
        url = Url(f"http://127.0.0.1:{http.server_port}")
        url.requests = seen
        return url

    yield start
    for http, thread in running:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def serve_vectors(server: Callable[..., Any]) -> Callable[..., Any]:
    """Serve ``encode(texts) -> (n, d)`` in the ``openai`` or ``tei`` shape."""

    def start(encode: Callable[[list[str]], np.ndarray], shape: str = "openai") -> Any:
        def answer(path: str, body: Any, headers: dict[str, str]) -> Reply:
            if shape == "openai" and path == "/v1/embeddings":
                return openai_reply(encode(list(body["input"])), body.get("encoding_format", "float"))
            if shape == "openai" and path == "/v1/models":
                return 200, {"data": [{"id": "served"}]}
            if shape == "tei" and path == "/embed":
                return 200, np.asarray(encode(list(body["inputs"]))).tolist()
            return 404, {"error": f"no route {path}"}

        return server(answer)

    return start


def write_tiny_model(
    folder: Path,
    *,
    pooling: str = "mean",
    dense: bool = False,
    normalise: bool = True,
    prompts: dict[str, str] | None = None,
    lower: bool = True,
    max_length: int = 256,
    seed: int = 0,
) -> Path:
    """Write a BERT of two layers, 32 wide, with random weights, as a sentence-transformers folder of 2025's kind."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    ids = _write_tiny_tokenizer(folder, lower)
    save_file(_tiny_weights(len(ids), 512, np.random.default_rng(seed)), folder / "model.safetensors")
    write = _json_writer(folder)
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    rest = {"vocab_size": len(ids), "max_position_embeddings": 512, "hidden_act": "gelu", "pad_token_id": 0}
    write("config.json", {"model_type": "bert", "architectures": ["BertModel"], **sizes, **rest})
    write("tokenizer_config.json", {"model_max_length": max_length})
    write("sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if dense:
        rng = np.random.default_rng(seed + 1)
        (folder / "2_Dense").mkdir(exist_ok=True)
        tensors = {
            "linear.weight": rng.standard_normal((24, 32)).astype(np.float32),
            "linear.bias": rng.standard_normal(24).astype(np.float32),
        }
        save_file(tensors, folder / "2_Dense" / "model.safetensors")
        act = "torch.nn.modules.activation.Tanh"
        write("2_Dense/config.json", {"in_features": 32, "out_features": 24, "bias": True, "activation_function": act})
        kinds.append(("2_Dense", "Dense"))
    if normalise:
        kinds.append(("3_Normalize", "Normalize"))
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    write("modules.json", modules)
    write("1_Pooling/config.json", {"word_embedding_dimension": 32, "pooling_mode": pooling})
    write("config_sentence_transformers.json", {"prompts": prompts or {}, "similarity_fn_name": "cosine"})
    return folder


def _write_tiny_tokenizer(folder: Path, lower: bool) -> dict[str, int]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    signs = [chr(c) for c in range(33, 127)] + list("áéíóúñüïçößаеиокмсвАМΑθήνα東京は日本の首都です。")
    signs = [sign for sign in dict.fromkeys(signs) if not (lower and sign != sign.lower())]
    words = ["the", "heat", "of", "in", "and", "was", "query", "passage", "gauge", "library", "ships"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *signs, *("##" + sign for sign in signs), *words]
    ids = {token: i for i, token in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return ids


def _json_writer(folder: Path) -> Callable[[str, Any], None]:
    def write(name: str, content: Any) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))

    return write


def _tiny_weights(vocabulary: int, positions: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    def normal(*shape: int, scale: float) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    def norm(name: str) -> dict[str, np.ndarray]:
        return {f"{name}.weight": np.ones(32, np.float32), f"{name}.bias": np.zeros(32, np.float32)}

    def linear(name: str, outputs: int, inputs: int) -> dict[str, np.ndarray]:
        return {f"{name}.weight": normal(outputs, inputs, scale=0.3), f"{name}.bias": normal(outputs, scale=0.1)}

    weights = {
        "embeddings.word_embeddings.weight": normal(vocabulary, 32, scale=1.0),
        "embeddings.position_embeddings.weight": normal(positions, 32, scale=0.5),
        "embeddings.token_type_embeddings.weight": normal(2, 32, scale=0.1),
        **norm("embeddings.LayerNorm"),
    }
    for i in range(2):
        layer = f"encoder.layer.{i}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            weights |= linear(layer + name, 32, 32)
        weights |= linear(layer + "intermediate.dense", 64, 32) | linear(layer + "output.dense", 32, 64)
        weights |= norm(layer + "attention.output.LayerNorm") | norm(layer + "output.LayerNorm")
    return weights


@pytest.fixture
def tiny_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny model: ``tiny_model(name="tiny", **faults)``; options as ``write_tiny_model``."""

    def make(name: str = "tiny", **options: Any) -> Path:
        return write_tiny_model(tmp_path / name, **options)

    return make
