"""Search of deployments: which chips, how many, split how, in which formats, keep a promise at the least cost."""
