"""One file a family of charts. Each takes findings and gives charts: finished SVG with captions, or nothing."""
