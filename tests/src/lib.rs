//! Tutti end to end: real editors, a real browser, real processes.
