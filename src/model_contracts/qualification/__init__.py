"""A qualification: a model brought into its formats, run in its modalities, converted in every direction, gate by gate.

`matrix` settles what a playbook asks, `plan` makes steps of it, `workshop` holds the source, what the converter under
test made of it (`products`) and the runtimes, `gates` compare, `run` evaluates step by step and journals what it saw.
"""
