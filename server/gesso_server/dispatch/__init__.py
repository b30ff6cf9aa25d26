"""Sessions, credits, leases, timers, waits: the loops of a coordinator."""
