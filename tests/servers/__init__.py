"""HTTP servers of our own for the client's tests: `misbehaving` breaks the protocol, `fast` obeys it."""
