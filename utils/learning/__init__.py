"""What a step computes: losses, schedules, update rules."""
