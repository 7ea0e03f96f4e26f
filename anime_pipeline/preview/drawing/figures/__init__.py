"""The stylised figures: their looks read from attributes, their parts drawn once, posed for every frame."""
