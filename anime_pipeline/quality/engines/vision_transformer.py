"""The image towers of CLIP and DINO: one pre-norm vision transformer, read from either's state dict.

Dosovitskiy et al. (2021). CLIP's has a norm before its blocks, no bias on its patches, QuickGELU where OpenAI
trained it, and a projection; DINO's takes pictures of any size by interpolating its position embedding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from anime_pipeline.quality.engines.torch_runtime import Tensor, bytes_of, functional, torch

HEAD_WIDTH = 64

_CLIP_NAMES = {
    "conv1": "patch",
    "class_embedding": "class",
    "positional_embedding": "position",
    "ln_pre": "before",
    "ln_post": "after",
    "ln_1": "norm1",
    "ln_2": "norm2",
    "attn.in_proj_": "qkv.",
    "attn.out_proj": "attended",
    "mlp.c_fc": "widen",
    "mlp.c_proj": "narrow",
    "transformer.resblocks": "blocks",
}
_DINO_NAMES = {
    "patch_embed.proj": "patch",
    "cls_token": "class",
    "pos_embed": "position",
    "attn.qkv": "qkv",
    "attn.proj": "attended",
    "mlp.fc1": "widen",
    "mlp.fc2": "narrow",
}


@dataclass(frozen=True)
class VisionTransformer:
    """A loaded tower; ``state`` has its tensors by the names of this module."""

    state: Mapping[str, Tensor]
    epsilon: float
    quick_gelu: bool
    head_width: int = HEAD_WIDTH

    @property
    def bytes(self) -> int:
        """Memory of the weights."""
        return bytes_of(dict(self.state))

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return int(self.state["patch.weight"].shape[-1])

    def embed(self, pictures: Tensor) -> Tensor:
        """Embeddings, N × width, of normalised pictures, float32 N × 3 × height × width."""
        state = self.state
        with torch().inference_mode():
            pictures = pictures.to(state["patch.weight"].device)
            patches = functional().conv2d(
                pictures, state["patch.weight"], state.get("patch.bias"), stride=self.patch
            )
            rows, columns = patches.shape[-2:]
            tokens = patches.flatten(2).transpose(1, 2)
            first = state["class"].reshape(1, 1, -1).expand(len(tokens), -1, -1)
            tokens = torch().cat([first, tokens], 1) + self.positions(rows, columns)
            if "before.weight" in state:
                tokens = self._norm("before", tokens)
            depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
            for index in range(depth):
                # of the last block only the class token is read
                tokens = self._block(f"blocks.{index}", tokens, 1 if index == depth - 1 else None)
            embedding = self._norm("after", tokens[:, 0])
            return embedding @ state["proj"] if "proj" in state else embedding

    def positions(self, rows: int, columns: int) -> Tensor:
        """The position embedding, 1 × (1 + rows · columns) × width.

        At another size than it was trained at it is DINO's own bicubic interpolation, with its 0.1 added to
        the size: other implementations leave that out, and differ in the second decimal.
        """
        position = self.state["position"].reshape(1, -1, self.state["class"].numel())
        side = math.isqrt(position.shape[1] - 1)
        if rows == columns == side:
            return position
        grid = position[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        grid = functional().interpolate(
            grid, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic"
        )
        if tuple(grid.shape[-2:]) != (rows, columns):
            raise ValueError(f"{side}×{side} positions were interpolated to {tuple(grid.shape[-2:])}")
        return torch().cat([position[:, :1], grid.flatten(2).transpose(1, 2)], 1)

    def _block(self, name: str, tokens: Tensor, read: int | None) -> Tensor:
        """One block; only its first ``read`` tokens are worked out, all of them for None."""
        count, length, width = tokens.shape
        qkv = self._linear(f"{name}.qkv", self._norm(f"{name}.norm1", tokens))
        qkv = qkv.reshape(count, length, 3, -1, self.head_width).permute(2, 0, 3, 1, 4)
        attended = functional().scaled_dot_product_attention(qkv[0][:, :, :read], qkv[1], qkv[2])
        attended = attended.transpose(1, 2).reshape(count, -1, width)
        tokens = tokens[:, :read] + self._linear(f"{name}.attended", attended)
        wide = self._linear(f"{name}.widen", self._norm(f"{name}.norm2", tokens))
        wide = wide * torch().sigmoid(1.702 * wide) if self.quick_gelu else functional().gelu(wide)
        return tokens + self._linear(f"{name}.narrow", wide)

    def _linear(self, name: str, tokens: Tensor) -> Tensor:
        return functional().linear(tokens, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def _norm(self, name: str, tokens: Tensor) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return functional().layer_norm(tokens, tokens.shape[-1:], weight, bias, self.epsilon)


def clip_tower(
    state: Mapping[str, Tensor], device: str, quick_gelu: bool = True, head_width: int = HEAD_WIDTH
) -> VisionTransformer:
    """CLIP's image tower from open_clip's names (``conv1.weight`` …, without ``visual.``).

    OpenAI's weights were trained with QuickGELU; the plain GELU gives other embeddings without an error.
    """
    renamed = _renamed(state, _CLIP_NAMES, device)
    return VisionTransformer(renamed, 1e-5, quick_gelu, head_width)


def dino_tower(state: Mapping[str, Tensor], device: str, head_width: int = HEAD_WIDTH) -> VisionTransformer:
    """DINO's vision transformer from its own checkpoint's names."""
    renamed = _renamed(state, _DINO_NAMES, device)
    renamed |= {f"after.{part}": renamed.pop(f"norm.{part}") for part in ("weight", "bias")}
    return VisionTransformer(renamed, 1e-6, False, head_width)


def _renamed(state: Mapping[str, Tensor], names: Mapping[str, str], device: str) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in state.items():
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        renamed[name] = tensor.to(device, torch().float32)
    return renamed
