"""Commands about readers of page images: `render` and `context`."""
