"""Which learning rate a training can take: a test of ever higher ones, its curve, and what the curve suggests."""
