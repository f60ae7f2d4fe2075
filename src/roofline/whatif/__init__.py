"""What a figure is worth: elasticities of an answer to every figure behind it, and the value that reaches a target."""
