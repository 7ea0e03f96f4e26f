"""A reference supervisor: a small server of the whole worker protocol, for tests, trials and docs."""
