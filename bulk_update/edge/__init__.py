"""What acts: the only files that touch disk, network, clock, chance and terminal."""
