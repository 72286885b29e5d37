"""What the network and its keys agree on; none of it needs MindSpore."""

FLAVOURS = ("zoo", "paper")
