"""What looks after data: is a trajectory right, is a store whole, can it be mended or brought up to date."""
