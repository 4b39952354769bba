"""Code that tests share: where real files lie, how broken ones are made, how the command is run."""
