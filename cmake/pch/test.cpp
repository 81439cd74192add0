int main() { return 0; }  // the source without which a target would have nothing to precompile for
