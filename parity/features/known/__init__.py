"""Known deviations and surprises of torch, with live reproductions."""
