"""The demo's made-up company: what its tools, programs and vendors write of the same work."""
