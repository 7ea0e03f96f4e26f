"""What the API shows of the story, and what it takes: the names of the tables, which earlier clients know."""
