"""Images from class folders: what is there, how it is preprocessed, in which order it is read."""
