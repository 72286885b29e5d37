"""Retrieval: vectors of images, whitening, an index, the images nearest to one, and how good the answers are."""
