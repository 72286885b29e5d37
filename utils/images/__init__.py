"""What is in an image file, by its bytes: whether it can be read, and the form in which a decoder gets it."""
