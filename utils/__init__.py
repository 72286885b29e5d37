"""The machinery that all networks share; README.md, section "Layout", says which floor stands on which."""
