//! The host as a whole.
