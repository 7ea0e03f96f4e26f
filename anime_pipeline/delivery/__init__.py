"""What leaves the house: scene reels, episode masters, subtitles and contact sheets."""
