"""What explains values that differ: budgets, fits, and other layouts than the declared one."""
