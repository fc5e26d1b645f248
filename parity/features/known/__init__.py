"""What torch has wrong or surprising, with live reproductions."""
