"""A model of random weights, 200 kB: its text is noise, its timings and its protocol are real. For tests and trials."""

import sys
from pathlib import Path

import gguf
import numpy as np

from olbench.engines.cache import written
from olbench.engines.shelf import TINY

_SEED = 20261122
_WIDTH, _FORWARD = 64, 128  # multiples of 32, the block of Q8_0
_LAYERS, _HEADS, _KV_HEADS = 2, 2, 1
_CONTEXT = 2048
# One token a byte. A tokenizer of this kind writes a space as U+2581, which would be three.
_TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"]
_KINDS = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256]
_KINDS += [gguf.TokenType.NORMAL]
_SPECIAL = 3
_TEMPLATE = (
    "{% for message in messages %}[{{ message.role }}]{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
KINDS = {
    "F16": (gguf.LlamaFileType.MOSTLY_F16, gguf.GGMLQuantizationType.F16),
    "Q8_0": (gguf.LlamaFileType.MOSTLY_Q8_0, gguf.GGMLQuantizationType.Q8_0),
}


def write(path: Path, quantization: str) -> None:
    """Write the model; the same quantization gives the same bytes."""
    file_type, tensor_type = KINDS[quantization]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("olbench tiny")
    writer.add_description("random weights, for tests: what it writes means nothing")
    _add_shape(writer)
    _add_vocabulary(writer)
    writer.add_file_type(file_type)
    for name, weights in _weights().items():
        wanted = tensor_type if weights.ndim > 1 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quants.quantize(weights, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(len(_TOKENS))


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_token_list(_TOKENS)
    writer.add_token_scores([0.0] * len(_TOKENS))
    writer.add_token_types(_KINDS)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(_TEMPLATE)


def _weights() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    draw = np.random.default_rng(_SEED)

    def normal(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return draw.standard_normal(shape, dtype=np.float32)

    ones = np.ones(_WIDTH, dtype=np.float32)
    kv_width = _WIDTH // _HEADS * _KV_HEADS
    out = normal(len(_TOKENS), _WIDTH) * np.float32(2)
    # Only printable ASCII is ever likely: every token is a piece of text, and an end never comes by itself.
    out[: _SPECIAL + 32] = 0
    out[_SPECIAL + 127 :] = 0
    weights = {"token_embd.weight": normal(len(_TOKENS), _WIDTH), "output_norm.weight": ones}
    weights["output.weight"] = out
    for layer in range(_LAYERS):
        shapes = {
            "attn_q": (_WIDTH, _WIDTH),
            "attn_k": (kv_width, _WIDTH),
            "attn_v": (kv_width, _WIDTH),
            "attn_output": (_WIDTH, _WIDTH),
            "ffn_gate": (_FORWARD, _WIDTH),
            "ffn_up": (_FORWARD, _WIDTH),
            "ffn_down": (_WIDTH, _FORWARD),
        }
        for name, shape in shapes.items():
            weights[f"blk.{layer}.{name}.weight"] = normal(*shape) / np.float32(4)
        weights[f"blk.{layer}.attn_norm.weight"] = weights[f"blk.{layer}.ffn_norm.weight"] = ones
    return weights


def main() -> int:
    """Write what the cache folder lacks of it."""
    cache = Path(sys.argv[1])
    for name in TINY.values():
        if not (cache / name).is_file():
            with written(cache / name) as part:
                write(part, name.split(".")[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
