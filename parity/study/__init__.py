"""What a student looks at: sweeps over a strength, the numbers of single steps, bridges between ideas. No torch."""
