"""The worker process, which computes outside of the application."""
