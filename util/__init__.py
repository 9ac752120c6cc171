"""Parts that any other room may use; imports nothing of theirs."""

import os

# Before torch is loaded: its waiting threads sleep instead of spinning, which beside another job takes the very cores
# that it waits for (an epoch of 24 s became one of 2 s).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
