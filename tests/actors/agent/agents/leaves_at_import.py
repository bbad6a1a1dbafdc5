"""A module that does not like to be imported."""

import sys

sys.exit("no, thank you")
