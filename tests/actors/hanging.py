"""A module whose import does not end, as one that waits for a network that is not there."""

import time

time.sleep(60)
