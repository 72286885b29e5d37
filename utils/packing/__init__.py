"""Class folders become packs: a few large files in place of many small ones."""
