"""The peers: each loads the model and turns one padded batch into mean-pooled layers.

A peer's heavy imports happen in `load`, so that its process holds nothing of the others.
"""

import contextlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

import workload


class Settings(NamedTuple):
    model: Path
    layers: list[int]  # as hidden_states counts, none negative
    threads: int
    batch_size: int
    corpus: Path


class Transformers:
    """Hugging Face transformers on PyTorch, its scaled-dot-product attention."""

    def __init__(self, settings: Settings, *, autocast: bool):
        import torch
        import transformers

        torch.set_num_threads(settings.threads)
        self.versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
        self.module = layer_means(settings)
        self.autocast = torch.autocast("cpu", dtype=torch.bfloat16) if autocast else contextlib.nullcontext()

    def encode(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> list[np.ndarray]:
        import torch

        with torch.inference_mode(), self.autocast:
            means = self.module(torch.from_numpy(input_ids), torch.from_numpy(attention_mask))
        return [mean.float().numpy() for mean in means]


class OnnxRuntime:
    """ONNX Runtime on the exported graph, every graph optimization on; its weights as int8, if that is wanted."""

    def __init__(self, settings: Settings, *, int8: bool = False):
        import onnxruntime

        self.versions = f"onnxruntime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            str(quantized(exported(settings)) if int8 else exported(settings)), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, input_ids, attention_mask):
        return self.session.run(None, {"input_ids": input_ids, "attention_mask": attention_mask})


class OpenVino:
    """OpenVINO on the PyTorch module, one stream over all threads; quantized by NNCF, if int8 is wanted."""

    def __init__(self, settings: Settings, *, precision: str, int8: bool = False):
        import openvino
        import torch

        self.versions = f"openvino {openvino.__version__.split('-')[0]}"
        example = torch.ones(2, 8, dtype=torch.int64)
        graph = openvino.convert_model(
            layer_means(settings),
            example_input={"input_ids": example, "attention_mask": example},
            input=[("input_ids", [-1, -1], np.int64), ("attention_mask", [-1, -1], np.int64)],
        )
        if int8:
            graph = calibrated(graph, settings)
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": settings.threads,
        }
        self.request = openvino.Core().compile_model(graph, "CPU", options).create_infer_request()

    def encode(self, input_ids, attention_mask):
        results = self.request.infer({"input_ids": input_ids, "attention_mask": attention_mask})
        return [np.array(result) for result in results.values()]


class SentenceTransformers:
    """sentence-transformers: the last layer alone, with its own sorting and tokenizing."""

    def __init__(self, settings: Settings):
        import sentence_transformers
        import torch
        from sentence_transformers.models import Pooling, Transformer

        torch.set_num_threads(settings.threads)
        self.versions = f"sentence-transformers {sentence_transformers.__version__}"
        bert = Transformer(str(settings.model), max_seq_length=512)
        pooling = Pooling(bert.get_word_embedding_dimension(), pooling_mode="mean")
        self.model = sentence_transformers.SentenceTransformer(modules=[bert, pooling], device="cpu")

    def encode_texts(self, texts: list[str], batch_size: int) -> list[np.ndarray]:
        return [self.model.encode(texts, batch_size=batch_size, show_progress_bar=False)]


class FastEmbed:
    """fastembed: the last layer alone, with its own tokenizing and pooling, on ONNX Runtime.

    It takes texts as they come, so they are sorted for it, the way sentence-transformers does.
    """

    def __init__(self, settings: Settings):
        import fastembed
        from fastembed.common.model_description import ModelSource, PoolingType

        self.versions = f"fastembed {fastembed.__version__}"
        path = exported_states(settings)
        fastembed.TextEmbedding.add_custom_model(
            model="race", pooling=PoolingType.MEAN, normalization=False, sources=ModelSource(hf="nobody/nothing"),
            dim=json.loads((settings.model / "config.json").read_text())["hidden_size"], model_file=path.name,
        )
        self.model = fastembed.TextEmbedding("race", threads=settings.threads, specific_model_path=str(settings.model))

    def encode_texts(self, texts: list[str], batch_size: int) -> list[np.ndarray]:
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        vectors = np.stack(list(self.model.embed([texts[row] for row in order], batch_size=batch_size)))
        column = np.empty_like(vectors)
        column[order] = vectors
        return [column]


def layer_means(settings: Settings):
    """A module: input_ids and attention_mask, `[batch, seq]`, to one `[batch, hidden]` per layer."""
    import torch
    from transformers import BertModel

    class LayerMeans(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = BertModel.from_pretrained(settings.model).eval()

        def forward(self, input_ids, attention_mask):
            outputs = self.bert(
                input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
            )
            weights = attention_mask.unsqueeze(-1).to(torch.float32)
            states = (outputs.hidden_states[layer].to(torch.float32) for layer in settings.layers)
            return tuple((state * weights).sum(1) / weights.sum(1) for state in states)

    return LayerMeans()


def exported(settings: Settings) -> Path:
    """The ONNX file of the model's layers, pooled, made beside it on first use."""
    path = settings.model / f"layers-{'-'.join(map(str, settings.layers))}.onnx"
    if not path.is_file():
        export(layer_means(settings), path)
    return path


def exported_states(settings: Settings) -> Path:
    """The ONNX file of the model's last hidden states, `[batch, seq, hidden]`, made beside it on first use."""
    path = settings.model / "last-hidden-state.onnx"
    if not path.is_file():
        import torch
        from transformers import BertModel

        class States(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.bert = BertModel.from_pretrained(settings.model).eval()

            def forward(self, input_ids, attention_mask):
                return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

        export(States(), path)
    return path


def quantized(exported: Path) -> Path:
    """The same graph with int8 weights by channel; what they are multiplied with is quantized as it runs."""
    path = exported.with_name(f"{exported.stem}-int8.onnx")
    if not path.is_file():
        from onnxruntime.quantization import QuantType, quantize_dynamic

        partial = path.with_suffix(".partial")
        quantize_dynamic(str(exported), str(partial), weight_type=QuantType.QInt8, per_channel=True)
        partial.rename(path)
    return path


def calibrated(graph, settings: Settings):
    """The same graph in int8, calibrated with texts of the corpus."""
    import nncf
    import pyarrow.parquet as pq

    texts = pq.read_table(settings.corpus).column("text").to_pylist()[:100]

    def inputs(token_ids: list[int]) -> dict:
        input_ids = np.array([token_ids], np.int64)
        return {"input_ids": input_ids, "attention_mask": np.ones_like(input_ids)}

    kind = nncf.ModelType.TRANSFORMER
    rows = workload.token_ids(settings.model / "tokenizer.json", texts)
    return nncf.quantize(graph, nncf.Dataset(rows, inputs), model_type=kind, subset_size=len(rows))


def export(module, path: Path) -> None:
    import torch

    example = torch.ones(2, 8, dtype=torch.int64)
    names = ["input_ids", "attention_mask"]
    partial = path.with_suffix(".partial")
    torch.onnx.export(
        module, (example, example), str(partial), input_names=names,
        dynamic_axes={name: {0: "batch", 1: "sequence"} for name in names},
        opset_version=17, dynamo=False,
    )
    partial.rename(path)


PEERS = {
    "transformers-unsorted": lambda settings: Transformers(settings, autocast=False),
    "transformers": lambda settings: Transformers(settings, autocast=False),
    "transformers-bfloat16": lambda settings: Transformers(settings, autocast=True),
    "sentence-transformers": SentenceTransformers,
    "fastembed": FastEmbed,
    "onnxruntime": OnnxRuntime,
    "onnxruntime-int8": lambda settings: OnnxRuntime(settings, int8=True),
    "openvino": lambda settings: OpenVino(settings, precision="f32"),
    "openvino-int8": lambda settings: OpenVino(settings, precision="f32", int8=True),
    "openvino-bfloat16": lambda settings: OpenVino(settings, precision="bf16"),
}
INPUT_ORDER = {"transformers-unsorted"}  # all others sort by length
