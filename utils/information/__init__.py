"""What a network costs and what a file holds: `mindzoo info`."""
