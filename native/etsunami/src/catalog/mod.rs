//! Which tables there are: names and the list of all.
//!
//! Both hold raw pointers to whatever the boundary calls a table handle. Who keeps the handle
//! alive is the boundary's promise: a handle is registered while it lives, and a named one is
//! given up only a grace period after its name was released (see `names::Names::get`).

// Loom's primitives cannot live in statics.
#[cfg(not(loom))]
pub mod names;
#[cfg(not(loom))]
pub mod registry;
pub mod slot;
