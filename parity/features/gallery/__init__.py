"""The experiments that come with the package: listed and shown."""
