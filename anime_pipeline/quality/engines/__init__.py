"""One module per metric: frames and facts in, a score out; no database, no orchestration."""
