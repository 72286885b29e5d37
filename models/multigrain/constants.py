"""What the network, its keys and its weights agree on; none of it needs MindSpore."""

FLAVOURS = ("zoo", "paper")
# Blocks of layer1 to layer4.
LAYERS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "se_resnet50": (3, 4, 6, 3)}
BACKBONES = tuple(LAYERS)
# Added to a length before it divides its vector.
NORM_EPSILON = 1e-6
