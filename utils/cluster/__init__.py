"""Facts of a cluster: addresses, ports, rank tables."""
