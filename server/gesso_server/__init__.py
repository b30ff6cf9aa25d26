"""The coordinator: compiles canvases, keeps them in the store and hands tasks to workers."""
