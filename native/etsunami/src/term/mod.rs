//! Erlang terms in one flat, position-independent encoding.
//!
//! See [`layout`] for the words, [`buffer`] for how an encoding is built.

pub mod buffer;
pub mod layout;
