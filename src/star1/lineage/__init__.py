"""A row's life: where it came from, where it left and why."""
