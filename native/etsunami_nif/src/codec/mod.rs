//! Between the VM's terms ([`crate::vm_terms`]) and encoded terms.
//!
//! - [`encode`]: a term of the VM becomes words in a [`Buffer`](etsunami::term::buffer::Buffer);
//! - [`sort`]: maps inside keys get their canonical order;
//! - [`decode`]: an encoded term becomes a term of the VM;
//! - [`piece`]: small nested terms, in one piece;
//! - [`direct`]: terms become words by functions that call each other;
//! - [`quick`]: small terms do so on the stack;
//! - [`key`]: a key that is looked up, by either encoder;
//! - [`bounds`]: so do the ends of ranges, which may hold what is no term;
//! - [`pattern`]: the head of a specification that need not be compiled;
//! - [`atom_text`]: the text of atoms, for the term order;
//! - [`foreign`]: terms that only an environment of the VM can keep;
//! - [`external`]: the few pieces of the external term format that the others read;
//! - [`host`]: what the core asks the VM.

pub mod atom_text;
pub mod bounds;
pub mod decode;
pub mod direct;
pub mod encode;
pub mod external;
pub mod foreign;
pub mod host;
pub mod key;
pub mod pattern;
pub mod piece;
pub mod quick;
pub mod sort;
