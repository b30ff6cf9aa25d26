"""How the processes of Gesso are seen: OpenTelemetry set up from its own variables, spans under chosen ids, logs."""
