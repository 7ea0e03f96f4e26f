"""The API and, on it, the review room: FastAPI over the rooms below.

A route is a plain function in ``routes/``, and its router one line in ``routes/__init__.py``::

    router = api_router("characters")

    @router.put("/characters/{character_id}", responses=problems(404, 412, 428))
    @requires("artist")
    def update_character(character_id: PathId, body: CharacterUpdate, db: Db, change: ChangeOf) -> Character:
        ...
        change.check(before)  # If-Match
        ...
        return change.changed("character", row.id, before, after)  # the audit log

``requires`` decides who may call it and runs it in one transaction: ``db`` is committed when it returns and
rolled back when it raises. It returns a model, a ``Response``, or None for no body. POST routes keep their
answers under an Idempotency-Key without doing anything. Raise ``ProblemError`` (:mod:`problems`) or any
``UserError``. A coroutine sees to its own session; a WebSocket calls ``access.admit``.
"""
