"""How replies are graded: extraction, equality, the sandbox, and what judge models are asked about."""
