"""What is wrong with this machine: `mindzoo doctor`."""
