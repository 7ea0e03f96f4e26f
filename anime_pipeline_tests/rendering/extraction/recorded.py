"""What each recorded graph should give, written down by reading the graph.

A sampler is (seed, steps, cfg, sampler, scheduler, denoise, start, end, model, width, height, frames);
``positive`` and ``negative`` are how the main sampler's prompts begin, None for a zeroed or missing one.
"""

from __future__ import annotations

from typing import Any

QWEN, QWEN_ENCODER = "qwen_image_fp8_e4m3fn.safetensors", "qwen_2.5_vl_7b_fp8_scaled.safetensors"
UMT5 = "umt5_xxl_fp8_e4m3fn_scaled.safetensors"
LOTUS = (None, 1, None, "euler", "normal", 1, None, None, "lotus-depth-d-v1-1.safetensors", None, None, None)
CHINESE = "色调艳丽，过曝，静态"


def _one(
    seed: int, steps: int, cfg: float | None, sampler: str, scheduler: str, model: str, *size: Any
) -> Any:
    width, height, frames = (*size, None, None, None)[:3]
    return (seed, steps, cfg, sampler, scheduler, 1, None, None, model, width, height, frames)


def _half(seed: int, steps: int, cfg: float, start: int, end: int, model: str, *size: Any) -> Any:
    scheduler = "simple" if model.startswith("wan") else "normal"
    width, height, frames = (*size, None)[:3]
    return (seed, steps, cfg, "euler", scheduler, None, start, end, model, width, height, frames)


def _wan(kind: str, noise: str) -> str:
    return f"wan2.2_{kind}_{noise}_noise_14B_fp8_scaled.safetensors"


EXPECTED: dict[str, dict[str, Any]] = {
    "flux_depth_lora_example": {
        # The first sampler makes the depth picture; the second one the picture that is saved.
        "samplers": [LOTUS, _one(229472716717627, 20, 1, "euler", "normal", "flux1-dev-fp8.safetensors")],
        "main": 1,
        "vae": "ae.safetensors",
        "guidance": 10,
        "encoders": ("clip_l.safetensors", "t5xxl_fp16.safetensors"),
        "loras": [("flux1-depth-dev-lora.safetensors", 1, None)],
        "positive": "A cute ghost-shaped desktop ornament",
        "negative": None,
    },
    "flux_dev_checkpoint_example": {
        "samplers": [_one(53943644181156, 20, 1, "euler", "simple", "flux1-dev.safetensors", 1024, 1024)],
        "vae": "ae.safetensors",
        "encoders": ("clip_l.safetensors", "t5xxl_fp16.safetensors"),
        "positive": "Beautiful photography of a gorgeous-haired",
        "negative": None,
    },
    "hunyuan_video_text_to_video": {
        "samplers": [
            _one(1, 20, None, "euler", "simple", "hunyuan_video_t2v_720p_bf16.safetensors", 848, 480, 73)
        ],
        "vae": "hunyuan_video_vae_bf16.safetensors",
        "guidance": 6,
        "encoders": ("clip_l.safetensors", "llava_llama3_fp8_scaled.safetensors"),
        "film": (73, 24),
        "positive": "anime style anime girl with massive fennec",
        "negative": None,
    },
    "image_anima_base_v1": {
        # Steps and cfg through switches that are off; the size through a ratio of 1:1 with one megapixel.
        "samplers": [
            _one(755918130909406, 30, 4, "euler", "simple", "anima-base-v1.0.safetensors", 1024, 1024)
        ],
        "vae": "qwen_image_vae.safetensors",
        "encoders": ("qwen_3_06b_base.safetensors",),
        "positive": "Anime monochrome cyberpunk front portrait",
        "negative": "worst quality, low quality, score_1",
    },
    "image_anima_lllite_depth_control_to_image": {
        # The size is that of a loaded picture: only the server knows it.
        "samplers": [_one(520254185749746, 30, 4, "euler", "simple", "anima-base-v1.0.safetensors")],
        "vae": "qwen_image_vae.safetensors",
        "encoders": ("qwen_3_06b_base.safetensors",),
        "positive": "front view perspective, cozy sunlit",
        "negative": "worst quality, low quality, score_1",
    },
    "image_chroma_text_to_image": {
        "samplers": [
            _one(68346347456896, 26, 3.5, "euler", "beta", "Chroma1-HD-fp8mixed.safetensors", 1024, 1024)
        ],
        "vae": "ae.safetensors",
        "encoders": ("t5xxl_fp8_e4m3fn_scaled.safetensors",),
        "positive": "This is a nature documentary close-up",
        "negative": "This low quality greyscale unfinished",
    },
    "image_netayume_lumina_t2i": {
        # Both prompts are joined from two texts; model, encoder and VAE come from one checkpoint.
        "samplers": [
            _one(
                0,
                30,
                4,
                "res_multistep",
                "simple",
                "NetaYumev35_pretrained_all_in_one.safetensors",
                1024,
                1024,
            )
        ],
        "positive": "You are an assistant designed to generate high quality anime images",
        "negative": "You are an assistant designed to generate low-quality images",
        "positive_has": '@comfyanonymous, "Warm and cheerful digital illustration',
        "negative_has": "blurry, worst quality, low quality, jpeg artifacts",
    },
    "image_qwen_image": {
        "samplers": [_one(50347169638278, 20, 4, "euler", "simple", QWEN, 1328, 1328)],
        "vae": "qwen_image_vae.safetensors",
        "encoders": (QWEN_ENCODER,),
        "positive": '"A vibrant, warm neon-lit street scene in Hong Kong',
        "negative": "",
    },
    "image_qwen_image_instantx_controlnet": {
        "samplers": [LOTUS, _one(498544006715206, 4, 1, "euler", "simple", QWEN)],
        "main": 1,
        "vae": "qwen_image_vae.safetensors",
        "encoders": (QWEN_ENCODER,),
        "loras": [("Qwen-Image-Lightning-4steps-V1.0.safetensors", 1, None)],
        "controlnets": [("Qwen-Image-InstantX-ControlNet-Union.safetensors", 1, 0, 1)],
        "positive": "Post-apocalyptic style clothing",
        "negative": "",
    },
    "image_qwen_image_union_control_lora": {
        # A second LoRA hangs on a switch that is off.
        "samplers": [_one(761977315566722, 20, 2.5, "euler", "simple", QWEN)],
        "vae": "qwen_image_vae.safetensors",
        "encoders": (QWEN_ENCODER,),
        "loras": [("qwen_image_union_diffsynth_lora.safetensors", 1, None)],
        "positive": "Extreme close-up shot, realistic digital illustration",
        "negative": " ",
    },
    "image_sdxl_simple": {
        "samplers": [
            _one(812045847300606, 25, 7, "dpmpp_2m", "karras", "sd_xl_base_1.0.safetensors", 1024, 1024)
        ],
        "positive": "a giant classical marble statue",
        "negative": "color, colored, lowres, blurry",
    },
    "image_to_video_wan": {
        "samplers": [
            _one(
                987948718394761,
                20,
                6,
                "uni_pc",
                "simple",
                "wan2.1_i2v_480p_14B_fp16.safetensors",
                512,
                512,
                33,
            )
        ],
        "vae": "wan_2.1_vae.safetensors",
        "encoders": (UMT5,),
        "film": (33, 16),
        "positive": "a cute anime girl with massive fennec ears",
        "negative": CHINESE,
    },
    "image_z_image_turbo": {
        "samplers": [_one(0, 8, 1, "res_multistep", "simple", "z_image_turbo_bf16.safetensors", 1024, 1024)],
        "vae": "ae.safetensors",
        "encoders": ("qwen_3_4b.safetensors",),
        "positive": "Latina female with thick wavy hair",
        "negative": None,
    },
    "ltxv_text_to_video": {
        # Its scheduler has no name but its class, and no denoise; the VAE comes with the checkpoint.
        "samplers": [
            (
                497797676867141,
                30,
                3,
                "euler",
                "LTXVScheduler",
                None,
                None,
                None,
                "ltx-video-2b-v0.9.safetensors",
                768,
                512,
                97,
            )
        ],
        "encoders": ("t5xxl_fp16.safetensors",),
        "film": (97, 24),
        "positive": "A woman with long brown hair and light skin",
        "negative": "low quality, worst quality, deformed",
    },
    "sd3.5_large_depth": {
        "samplers": [
            LOTUS,
            _one(1020711502084247, 20, 8, "euler", "normal", "sd3.5_large_fp8_scaled.safetensors"),
        ],
        "main": 1,
        "controlnets": [("sd3.5_large_controlnet_depth.safetensors", 0.7, 0, 1)],
        "positive": "A cute, plush - like light green baby dragon",
        "negative": None,
    },
    "sdxl_refiner_prompt_example": {
        "samplers": [
            _half(6767725640732, 25, 8, 0, 20, "sd_xl_base_1.0.safetensors", 1024, 1024),
            _half(0, 25, 8, 20, 10000, "sd_xl_refiner_1.0.safetensors", 1024, 1024),
        ],
        "positive": "daytime sky nature dark blue galaxy bottle",
        "negative": "text, watermark",
    },
    "sdxl_simple_example": {
        "samplers": [
            _half(721897303308196, 25, 8, 0, 20, "sd_xl_base_1.0.safetensors", 1024, 1024),
            _half(0, 25, 8, 20, 10000, "sd_xl_refiner_1.0.safetensors", 1024, 1024),
        ],
        "positive": "evening sunset scenery blue sky nature",
        "negative": "text, watermark",
    },
    "template_qwen_image_illustration_lora": {
        "samplers": [_one(1124798614324697, 45, 3.5, "euler", "simple", QWEN, 1024, 1024)],
        "vae": "qwen_image_vae.safetensors",
        "encoders": (QWEN_ENCODER,),
        "loras": [("illustration-1.0-qwen-image.safetensors", 1, None)],
        "positive": "a girl with short hair in a bomber jacket",
        "negative": "",
    },
    "text_to_video_wan": {
        "samplers": [
            _one(82628696717253, 30, 6, "uni_pc", "simple", "wan2.1_t2v_1.3B_fp16.safetensors", 832, 480, 33)
        ],
        "vae": "wan_2.1_vae.safetensors",
        "encoders": (UMT5,),
        "film": (33, 16),
        "positive": "a fox moving quickly in a beautiful winter",
        "negative": CHINESE,
    },
    # It only makes frames between those of a loaded film: nothing samples, its length is the film's.
    "utility_video_frame_interpolation": {"samplers": [], "main": None, "film": (None, None)},
    "video_wan2_2_14B_i2v": {
        # Length: floor(5 × 16 + 1); steps and the step between the two halves through switches.
        "samplers": [
            _half(264244520398999, 20, 3.5, 0, 10, _wan("i2v", "high"), 640, 640, 81),
            _half(0, 20, 3.5, 10, 20, _wan("i2v", "low"), 640, 640, 81),
        ],
        "vae": "wan_2.1_vae.safetensors",
        "encoders": (UMT5,),
        "film": (81, 16),
        "positive": "The white dragon warrior stands still",
        "negative": CHINESE,
    },
    "video_wan2_2_14B_t2v": {
        "samplers": [
            _half(923510416338945, 20, 3.5, 0, 10, _wan("t2v", "high"), 640, 640, 81),
            _half(0, 20, 3.5, 10, 20, _wan("t2v", "low"), 640, 640, 81),
        ],
        "vae": "wan_2.1_vae.safetensors",
        "encoders": (UMT5,),
        "film": (81, 16),
        "positive": "Beautiful young European woman with honey",
        "negative": CHINESE,
    },
    "video_wan2_2_5B_ti2v": {
        "samplers": [
            _one(
                898471028164125, 20, 5, "uni_pc", "simple", "wan2.2_ti2v_5B_fp16.safetensors", 1280, 704, 121
            )
        ],
        "vae": "wan2.2_vae.safetensors",
        "encoders": (UMT5,),
        "film": (121, 24),
        "positive": "Low contrast. In a retro 1970s-style subway",
        "negative": CHINESE,
    },
    "video_wan_vace_14B_ref2v": {
        "samplers": [
            _one(552837504311715, 4, 1, "uni_pc", "simple", "wan2.1_vace_14B_fp16.safetensors", 768, 768, 81)
        ],
        "vae": "wan_2.1_vae.safetensors",
        "encoders": ("umt5_xxl_fp16.safetensors",),
        "loras": [("Wan21_CausVid_14B_T2V_lora_rank32.safetensors", 0.3, 1)],
        "film": (81, 16),
        "positive": "An icicle dragon lunges forward",
        "negative": "过曝，静态，细节模糊不清",
    },
}
