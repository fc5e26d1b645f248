"""The published schemas of the JSON documents."""
