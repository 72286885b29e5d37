"""Where in an image a network finds what it says: heat maps, how they are computed and how they are drawn."""
