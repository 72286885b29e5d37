"""Pictures that are drawn: texts of any script in them, and colours for values."""
