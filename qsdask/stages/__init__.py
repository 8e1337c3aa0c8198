"""The stages, one file each: every one is a public function and a sub-command of the same name."""
