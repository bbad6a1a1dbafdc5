"""The journal: one SQLite database (WAL) in the state folder. The supervisor writes it, facades read it."""
