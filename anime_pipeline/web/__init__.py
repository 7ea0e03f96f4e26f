"""The REST API: what the studio's other tools speak to."""
