"""Does mindzoo compute rightly on this device: `mindzoo selftest`."""
