"""Finding again: words, vectors and episode context, fused, ranked and explained."""
