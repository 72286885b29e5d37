"""What a run folder says, as figures and as one page: light, so that a machine without MindSpore can show it."""
