"""Pages of HTML that stand alone: they load nothing from anywhere else."""
