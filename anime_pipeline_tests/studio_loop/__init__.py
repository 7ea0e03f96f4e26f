"""One studio's loop for the state machine test: its story, its simulated renderer, and what must be true."""
