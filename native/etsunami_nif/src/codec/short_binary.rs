//! Binaries of at most 64 bytes, as they stand in the VM's memory.
//!
//! The VM keeps such a binary whole on a process's heap: a header, its size (in bytes, or in bits on
//! newer releases), its bytes. Read and written where they stand they cost no call of the C interface,
//! which is most of what a short key or value costs otherwise.
//!
//! As with other terms ([`super::piece`]) it is looked at, at load, whether binaries that the VM made
//! are so. Those that are not, and parts of larger ones, go through the C interface.

use std::sync::atomic::{AtomicU64, Ordering};

use super::piece::{BOXED, behind};
use super::tags;
use crate::heap;
use crate::vm::{Env, VmTerm};

/// The longest one, in bytes.
const LONGEST: usize = 64;
/// The bits of a header that tell what follows; the others count the words that do.
const SUBTAG: u64 = 0x3f;

/// The subtag, and above it what a byte counts in the size: 1 or 8; 0 if nothing is known. Set once
/// at load, before any NIF is called.
static FORM: AtomicU64 = AtomicU64::new(0);

/// How short binaries look.
#[derive(Clone, Copy)]
struct Form {
    subtag: u64,
    unit: u64,
}

impl Form {
    #[inline(always)]
    fn known() -> Option<Form> {
        // Relaxed: written before the NIFs can be called, never changed.
        let form = FORM.load(Ordering::Relaxed);
        (form != 0).then_some(Form { subtag: form & SUBTAG, unit: form >> 8 })
    }

    /// The words in front of so many bytes.
    #[inline(always)]
    fn head(self, bytes: usize) -> [u64; 2] {
        [(1 + bytes.div_ceil(8) as u64) << 6 | self.subtag, self.unit * bytes as u64]
    }
}

/// The bytes of a short binary, where they stand; nothing for other terms, and for other binaries.
#[inline(always)]
pub fn bytes<'e>(term: VmTerm<'e>) -> Option<&'e [u8]> {
    let form = Form::known()?;
    let at = behind(term, BOXED)?;
    // SAFETY: such a reference is to a header; what has this one is laid out so, as was found at
    // load. Terms do not change while they live.
    unsafe {
        if *at & SUBTAG != form.subtag {
            return None;
        }
        let size = *at.add(1);
        let whole = size & (form.unit - 1) == 0;
        let length = (size / form.unit) as usize;
        whole.then(|| std::slice::from_raw_parts(at.add(2).cast(), length))
    }
}

/// The words that a binary of so many bits takes; 0 if it is not made here.
#[inline(always)]
pub fn words(bits: usize) -> usize {
    let made = bits & 7 == 0 && (8..=8 * LONGEST).contains(&bits) && Form::known().is_some();
    if made { 2 + bits.div_ceil(64) } else { 0 }
}

/// Writes a binary of so many bits, which stand at `from`.
///
/// # Safety
/// There is room for its [`words`], which are not 0, and as many words but two can be read.
#[inline(always)]
pub unsafe fn write(to: *mut u64, bits: usize, from: *const u64) {
    let Some(form) = Form::known() else { return };
    // SAFETY: by contract.
    unsafe {
        let [head, size] = form.head(bits / 8);
        to.write(head);
        to.add(1).write(size);
        for i in 0..bits.div_ceil(64) {
            to.add(2 + i).write(*from.add(i));
        }
    }
}

/// Finds out how short binaries look.
pub fn load(env: Env) {
    let form = if tags::portable() { None } else { form_as_assumed(env) };
    if let Some(Form { subtag, unit }) = form {
        FORM.store(unit << 8 | subtag, Ordering::Relaxed);
    }
}

fn form_as_assumed(env: Env) -> Option<Form> {
    let eight = behind(env.make_binary(&[7; 8]), BOXED)?;
    // SAFETY: a binary takes more than one word.
    let (head, unit) = unsafe { (*eight, *eight.add(1) / 8) };
    let form = Form { subtag: head & SUBTAG, unit };
    let fits = (unit == 1 || unit == 8) && form.subtag != 0;
    let tells_long = |length| {
        behind(env.make_binary(&vec![7; length]), BOXED)
            // SAFETY: the header of a term that was just made.
            .is_some_and(|at| unsafe { *at & SUBTAG != form.subtag })
    };
    let long = [LONGEST + 1, 200].into_iter().all(tells_long);
    (fits && long && (1..=LONGEST).all(|length| is_made_so(env, form, length))).then_some(form)
}

/// True if the VM makes a binary of that length so, and takes one that is made so for the same.
fn is_made_so(env: Env, form: Form, length: usize) -> bool {
    let mut bytes = [0; LONGEST];
    bytes.iter_mut().zip(1..).for_each(|(byte, n)| *byte = n);
    let (term, count) = (env.make_binary(&bytes[..length]), 2 + length.div_ceil(8));
    let words: [u64; LONGEST / 8] =
        std::array::from_fn(|i| u64::from_ne_bytes(std::array::from_fn(|j| bytes[8 * i + j])));
    let made = heap::take(env, count);
    // SAFETY: a term that was just made, the words in front of which are looked at first; and memory
    // for as many words, over which a binary is written.
    unsafe {
        let Some(at) = behind(term, BOXED) else { return false };
        let alike = [*at, *at.add(1)] == form.head(length)
            && std::slice::from_raw_parts(at.add(2).cast::<u8>(), length) == &bytes[..length];
        let [head, size] = form.head(length);
        made.write(head);
        made.add(1).write(size);
        made.add(2).copy_from_nonoverlapping(words.as_ptr(), count - 2);
        alike && VmTerm::from_word(made as u64 | BOXED).identical(term)
    }
}
