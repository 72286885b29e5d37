"""What the network, its keys and its weights agree on; none of it needs MindSpore."""

GATHERS = ("zoo", "paper")
# Stride of the whole network, so the learnt gathers' maps are exact parts of an image of a multiple of it.
TOTAL_STRIDE = 32
# How much smaller than the image the maps of layer1 to layer4 are.
MAP_REDUCTIONS = (4, 8, 16, 32)
