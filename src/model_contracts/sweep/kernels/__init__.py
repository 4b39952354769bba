"""Block kernels: blocks of bytes decoded to values, and values reduced to totals, in numpy and in numba."""
