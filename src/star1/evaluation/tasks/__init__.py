"""One file for each kind of benchmark; see star1.evaluation.task."""
