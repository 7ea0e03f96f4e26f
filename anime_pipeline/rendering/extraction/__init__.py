"""What a graph renders with, read from the graph alone: seeds, models, samplers, sizes, prompts.

:func:`~anime_pipeline.rendering.extraction.parameters.extract` reads any ComfyUI graph in API format. A value
that only a running server knows (the size of a loaded picture) stays unknown.
"""
