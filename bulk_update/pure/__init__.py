"""What decides: values in, values out. No file, socket, clock, chance or environment, and no `await`."""
