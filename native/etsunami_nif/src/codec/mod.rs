//! Between the VM's terms and encoded terms.
//!
//! - [`encode`]: a term of the VM becomes words in a [`Buffer`](etsunami::term::buffer::Buffer);
//! - [`sort`]: maps inside keys get their canonical order;
//! - [`decode`]: an encoded term becomes a term of the VM;
//! - [`flatmap`]: maps as they stand in the VM's memory;
//! - [`short_binary`]: short binaries, likewise;
//! - [`piece`]: small nested terms, in one piece;
//! - [`quick`]: small terms become words on the stack;
//! - [`bounds`]: so do the ends of ranges, which may hold what is no term;
//! - [`pattern`]: the head of a specification that need not be compiled;
//! - [`tags`]: whether the words of immediates are as assumed, and the portable path if not;
//! - [`atom_text`]: the text of atoms, for the term order;
//! - [`binary`]: binaries that are held by reference;
//! - [`foreign`]: terms that only an environment of the VM can keep;
//! - [`external`]: the few pieces of the external term format that the others read;
//! - [`host`]: what the core asks the VM.

pub mod atom_text;
pub mod binary;
pub mod bounds;
pub mod decode;
pub mod encode;
pub mod external;
pub mod flatmap;
pub mod foreign;
pub mod host;
pub mod pattern;
pub mod piece;
pub mod quick;
pub mod short_binary;
pub mod sort;
pub mod tags;
