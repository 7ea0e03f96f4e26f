"""What can go wrong between us and the database, in words."""

from anime_pipeline.errors import UserError


class DatabaseError(UserError):
    """The database can't be started, reached or used."""


class MigrationError(DatabaseError):
    """The schema can't be brought to the revision that was asked for."""
