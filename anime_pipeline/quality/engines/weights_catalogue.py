"""The catalogue of weights: what each learned engine reads, its licence, its source and its sha256."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightsFile:
    """One file of a model, at ``file`` in the models folder.

    ``source`` is a URL, or ``pypi:name==version`` for a file inside a published wheel. ``member`` is its path
    in the archive at the source, None where the source is the file itself.
    """

    file: str
    source: str
    sha256: str | None
    member: str | None = None


@dataclass(frozen=True)
class OwnCopy:
    """What only the user may install: its licence lets us neither bring nor fetch it, and covers its code.

    ``setting`` names the folder of the user's copy, in which the files lie; ``how`` says what to do.
    """

    setting: str
    how: str

    @property
    def variable(self) -> str:
        """The environment variable of the setting."""
        return f"ANIME_{self.setting.upper()}"


@dataclass(frozen=True)
class Weights:
    """A named set of weights. ``megabytes`` is about what a fetch downloads.

    ``own_copy`` is there for weights that are never fetched; their files name the code that they run with.
    """

    name: str
    used_by: tuple[str, ...]
    megabytes: float
    licence: str
    commercial_use: bool
    files: tuple[WeightsFile, ...]
    own_copy: OwnCopy | None = None


_HUB = "https://huggingface.co"
_INSIGHTFACE = "https://github.com/deepinsight/insightface/releases/download/model-zoo/buffalo_l.zip"
_CCIP = f"{_HUB}/deepghs/ccip_onnx/resolve/eb2acdd29af1703388d3d0c04221add322bc9110"
_CCIP_MODEL = "ccip-caformer-24-randaug-pruned"
_AMT = "https://github.com/MCG-NKU/AMT"
_AMT_CHECKPOINT = f"{_HUB}/lalala125/AMT/resolve/main/amt-s.pth"
_AMT_CODE = (
    "networks/AMT-S.py",
    "networks/blocks/raft.py",
    "networks/blocks/feat_enc.py",
    "networks/blocks/ifrnet.py",
    "networks/blocks/multi_flow.py",
    "utils/flow_utils.py",
)
_FACES = f"{_HUB}/deepghs/anime_face_detection/resolve/784dc4c0bb692351ddcdbe6131a050b17d3025d5"

CATALOGUE: tuple[Weights, ...] = (
    Weights(
        "buffalo_l", ("face_similarity (arcface)",), 289, "InsightFace: non-commercial research only", False,
        (
            WeightsFile(
                "buffalo_l/det_10g.onnx", _INSIGHTFACE,
                "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91", "det_10g.onnx",
            ),
            WeightsFile(
                "buffalo_l/w600k_r50.onnx", _INSIGHTFACE,
                "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43", "w600k_r50.onnx",
            ),
        ),
    ),
    Weights(
        "ccip", ("face_similarity (ccip)",), 150, "OpenRAIL", True,
        (
            WeightsFile(
                "ccip/model_feat.onnx", f"{_CCIP}/{_CCIP_MODEL}/model_feat.onnx",
                "4ea118d16496274f4f6e08d3afc768cc592389e8f7f32f8732ce2215c228ac5f",
            ),
            WeightsFile(
                "ccip/model_metrics.onnx", f"{_CCIP}/{_CCIP_MODEL}/model_metrics.onnx",
                "7e4646fdfbe369ad485b227ec47ac4092c98b8deef3af44e19fdbd8ba7bc25c1",
            ),
        ),
    ),
    Weights(
        "anime-face", ("face_similarity (ccip)",), 45, "MIT", True,
        (
            WeightsFile(
                "anime-face/face_detect_v1.4_s.onnx", f"{_FACES}/face_detect_v1.4_s/model.onnx",
                "403b5bc93b6ff789b7d183418df4a1364049bac00c24acd927604a7ff6891483",
            ),
        ),
    ),
    Weights(
        "clip-vit-l-14", ("aesthetic", "style_adherence (clip)"), 1710, "MIT", True,
        (
            WeightsFile(
                "clip-vit-l-14/open_clip_model.safetensors",
                f"{_HUB}/timm/vit_large_patch14_clip_224.openai/resolve/main/open_clip_model.safetensors",
                "9ce2e8a8ebfff3793d7d375ad6d3c35cb9aebf3de7ace0fc7308accab7cd207e",
            ),
        ),
    ),
    Weights(
        "laion-aesthetic-v2", ("aesthetic",), 4, "Apache-2.0", True,
        (
            WeightsFile(
                "laion-aesthetic-v2/sac+logos+ava1-l14-linearMSE.pth",
                "https://github.com/christophschuhmann/improved-aesthetic-predictor/raw/main/"
                "sac%2Blogos%2Bava1-l14-linearMSE.pth",
                "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0",
            ),
        ),
    ),
    Weights(
        "laion-aesthetic-v1", ("aesthetic (VBench's mode)",), 0.004, "MIT", True,
        (
            WeightsFile(
                "laion-aesthetic-v1/sa_0_4_vit_l_14_linear.pth",
                "https://github.com/LAION-AI/aesthetic-predictor/raw/main/sa_0_4_vit_l_14_linear.pth",
                "2cd4e60f4f24ae3bcd57b847b13c1f3ba27edc28cc1a7f9ce74ee9f421243cba",
            ),
        ),
    ),
    Weights(
        "csd-vit-l", ("style_adherence (csd)",), 2438, "MIT", True,
        (
            WeightsFile(
                "csd-vit-l/pytorch_model.bin",
                f"{_HUB}/tomg-group-umd/CSD-ViT-L/resolve/main/pytorch_model.bin",
                "40e92fad63a361b8136100cd234c42d401ef9b34ff1748234318929ebcc7e7a1",
            ),
        ),
    ),
    Weights(
        "lpips-alex", ("temporal_lpips (lpips-alex)", "loop_closure (lpips-alex)"), 244,
        "BSD-3-Clause, BSD-2-Clause (heads)", True,
        (
            WeightsFile(
                "lpips-alex/alexnet-owt-7be5be79.pth",
                "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
                "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            ),
            WeightsFile(
                "lpips-alex/alex.pth", "pypi:lpips==0.1.4",
                "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
                "lpips/weights/v0.1/alex.pth",
            ),
        ),
    ),
    Weights(
        "lpips-vgg", ("temporal_lpips (lpips-vgg)", "loop_closure (lpips-vgg)"), 553,
        "BSD-3-Clause, BSD-2-Clause (heads)", True,
        (
            WeightsFile(
                "lpips-vgg/vgg16-397923af.pth",
                "https://download.pytorch.org/models/vgg16-397923af.pth",
                "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            ),
            WeightsFile(
                "lpips-vgg/vgg.pth", "pypi:lpips==0.1.4",
                "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
                "lpips/weights/v0.1/vgg.pth",
            ),
        ),
    ),
    Weights(
        "lpips-squeeze", ("temporal_lpips (lpips-squeeze)", "loop_closure (lpips-squeeze)"), 5,
        "BSD-3-Clause, BSD-2-Clause (heads)", True,
        (
            WeightsFile(
                "lpips-squeeze/squeezenet1_1-b8a52dc0.pth",
                "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
                "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
            ),
            WeightsFile(
                "lpips-squeeze/squeeze.pth", "pypi:lpips==0.1.4",
                "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
                "lpips/weights/v0.1/squeeze.pth",
            ),
        ),
    ),
    Weights(
        "st-lpips-alex", ("temporal_lpips (st-lpips-alex)", "loop_closure (st-lpips-alex)"), 64,
        "BSD-2-Clause", True,
        (
            WeightsFile(
                "st-lpips-alex/alex_shift_tolerant.pth", "pypi:stlpips-pytorch==0.0.2",
                "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
                "stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth",
            ),
        ),
    ),
    Weights(
        "dino-vit-b-16", ("subject_consistency",), 343, "Apache-2.0", True,
        (
            WeightsFile(
                "dino-vit-b-16/dino_vitbase16_pretrain.pth",
                "https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth",
                None,
            ),
        ),
    ),
    Weights(
        "amt-s", ("motion_smoothness (amt-s)",), 12, "CC BY-NC 4.0, code and weights: you install it", False,
        (
            WeightsFile("pretrained/amt-s.pth", _AMT_CHECKPOINT, None),
            *(WeightsFile(file, _AMT, None) for file in _AMT_CODE),
        ),
        OwnCopy(
            "amt_checkout",
            f"if its licence lets you: git clone {_AMT}, lay {_AMT_CHECKPOINT} into its folder pretrained, "
            "and set ANIME_AMT_CHECKOUT to the clone",
        ),
    ),
)  # fmt: skip
