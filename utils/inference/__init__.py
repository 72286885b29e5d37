"""What is done with a checkpoint: evaluate, classify images, export, convert."""
