"""Native codec: a small network trained for this project, with its weights in the package."""
