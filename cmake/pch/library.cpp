// The source without which a target would have nothing to precompile for.
