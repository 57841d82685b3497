"""What is true: subjects, findings, matching, merging, planning. No I/O, no clock, no framework; time is passed in."""
