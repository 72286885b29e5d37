"""What the network and its keys agree on; none of it needs MindSpore."""

UNITS = ("zoo", "paper")
# First weights of the convolutions.
WEIGHT_INITS = ("xavier_uniform", "he_uniform", "he_normal")
