"""STAR-1 as a data-versioned pipeline."""

import os

# Before torch loads OpenMP. Its threads spin while they wait for each other; by default so long that on a busy machine
# they keep each other from working. Pretraining on two threads beside two busy processes took 161 s, with 2,000 spins
# 56 s; on a quiet machine 24 to 26 s either way. No result depends on it.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
