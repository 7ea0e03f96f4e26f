"""An anime production line: episodes of cuts in; rendered, measured, gated and assembled film out."""

__version__ = "2.0.0"
