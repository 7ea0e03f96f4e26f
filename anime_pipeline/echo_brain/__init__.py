"""The Echo Brain worker protocol: registration, heartbeat, outbox, inbox, and a reference supervisor."""
