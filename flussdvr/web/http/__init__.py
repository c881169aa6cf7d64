"""HTTP itself: connections, ranges, the way of a body into a socket. It knows no stream."""
