"""Which models a branch touched, through Git, and what each of them is held to."""
