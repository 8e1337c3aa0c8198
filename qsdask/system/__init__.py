"""One frame in memory, as other programs or a file hand it over: described, and given its softness, without a store."""
