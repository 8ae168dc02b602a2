"""What needs Qt: the worker process and the installation of packages."""
