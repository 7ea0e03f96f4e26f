"""Frames and films: where they are kept, how they are read, written and shown. Knows no database."""
