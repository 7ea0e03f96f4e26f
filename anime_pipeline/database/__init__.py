"""Where the house keeps its memory: the server, the migrations, the models and the sessions."""
