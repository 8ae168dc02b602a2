"""What needs the scene but no Qt: volume nodes in and out, and the run that connects them with the worker."""
