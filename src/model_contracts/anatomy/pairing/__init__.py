"""Two artifacts: which tensors answer to each other, and what is made of several."""
