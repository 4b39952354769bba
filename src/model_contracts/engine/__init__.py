"""Plans which clauses apply, runs them, records evidence, and decides."""
