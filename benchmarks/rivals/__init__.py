"""What others would use for the same job, a file each: every one updates all rows and counts those that were."""
