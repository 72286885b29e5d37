"""What starts a job on the ranks of one or more servers: rank tables, the launcher, the check of a machine."""
