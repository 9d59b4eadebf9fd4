"""What we speak: HTTP with stamps, the wire formats, and the servers' APIs."""
