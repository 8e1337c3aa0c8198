"""What an atom did: one file per response to deformation."""
