"""What the network, its keys and the original's configuration agree on; none of it needs MindSpore."""

# First weights of the convolutions, and of the classifier.
CONV_INITS = ("TruncatedNormal", "XavierUniform", "HeNormal")
DENSE_INITS = ("RandomNormal", "TruncatedNormal")
STEM_CHANNELS = 64
# Channels that the classifier sees, as a multiple of `head_width`.
EMBEDDING = 64
