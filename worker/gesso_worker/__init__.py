"""The worker: runs the tasks that a coordinator hands to it."""
