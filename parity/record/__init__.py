"""The steps of torch optimizers as arrays: what was there before and after, what was multiplied and summed."""
