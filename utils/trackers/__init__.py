"""Where the values of a training go beside its own files: one protocol, and a file for each kind of tracker."""
