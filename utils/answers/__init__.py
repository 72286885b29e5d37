"""What a network said of images, as lines, files, a page and a sheet."""
