"""The worker protocol: we are a worker of a supervisor that hands out tasks."""
