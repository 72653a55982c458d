"""Building blocks for torch algorithms that train all seeds of a cohort as one computation."""
