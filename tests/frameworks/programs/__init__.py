"""Programs that tests start: each says where it listens, and ends with its stdin."""
