"""Everything together: both labs as processes, the real sides, engine and jobs."""
