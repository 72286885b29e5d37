"""What an evaluation says beside its hits: by class, how sure, and which of several is best."""
