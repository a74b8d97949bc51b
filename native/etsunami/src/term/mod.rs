//! Erlang terms in one flat, position-independent encoding.
//!
//! | file | what |
//! | --- | --- |
//! | [`layout`] | the words of an encoded term |
//! | [`buffer`] | how an encoding is built |
//! | [`view`] | how an encoding is read |
//! | [`host`] | what only the VM knows |
//! | [`number`] | integers of any size, and the exact order of integers and floats |
//! | [`order`] | the Erlang term order |
//! | [`equal`] | `=:=` |
//! | [`hash`] | seeded hashes that agree with `=:=` |
//! | [`prefix`] | 64-bit prefixes that agree with the term order |
//! | [`stem`] | what neighbouring keys share, and prefixes of the rest |
//! | [`shape`] | the keys of maps, stored once |
//! | [`object`] | stored tuples |
//! | [`probe`] | keys as callers look them up, and keys that engines keep |

mod bits;
pub mod buffer;
pub mod equal;
pub mod hash;
pub mod host;
pub mod layout;
pub mod number;
pub mod object;
pub mod order;
pub mod prefix;
pub mod probe;
mod rank;
pub mod shape;
pub mod stack;
pub mod stem;
#[cfg(all(any(test, feature = "testing"), not(loom)))]
pub mod testing;
#[cfg(all(test, not(loom)))]
mod tests;
pub mod view;
