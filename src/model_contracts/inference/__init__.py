"""What two runs of a model are compared by: distributions position by position, until the verdict is settled."""
