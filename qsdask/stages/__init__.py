"""What fills groups of a store, one file a stage: chunks in, block, `compute`, chunks out."""
