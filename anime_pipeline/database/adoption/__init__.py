"""Brings an existing v1 installation over, and back: look, back up, rehearse, migrate, verify, roll back.

Every step that fails leaves the database as it was before or as it is after, and says which.
"""
