"""Recipes, workflow templates, the ComfyUI client, the one queue, attempts and takes."""
