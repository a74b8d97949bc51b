//! NIFs that show the codec, the term order and the hashes to the tests, and what the codec costs.

use std::time::{Duration, Instant};

use etsunami::term::buffer::Buffer;
use etsunami::term::equal::equal;
use etsunami::term::hash::hash_wide;
use etsunami::term::object::{Object, ObjectPtr};
use etsunami::term::order::compare;
use etsunami::term::view::Term;

#[cfg(not(feature = "system_allocator"))]
use crate::allocator::block_bytes;
use crate::atoms::boolean;
use crate::codec::decode;
use crate::codec::encode::{Failure, Keep, Role, Scratch, encode_object, encode_term};
use crate::codec::key::{Slot, encode_key};
use crate::error::{BADARG, SYSTEM_LIMIT};
use crate::raw_nif;
use crate::vm::{Env, VmTerm};

/// Stores an object whose key is its first element, and frees it after `with` saw it.
fn stored<'e, T>(
    env: Env<'e>,
    term: VmTerm<'e>,
    with: impl FnOnce(Object<'_>) -> T,
) -> Result<T, crate::error::Raise<'e>> {
    let mut buffer = Scratch::take();
    let arity = encode_object(env, term, 1, Keep::Retain, &mut buffer)?;
    // SAFETY: `encode_object` wrote `arity` elements that own their keepers.
    let object = unsafe { ObjectPtr::new(0, arity, buffer.words()) }.map_err(|_| SYSTEM_LIMIT)?;
    // SAFETY: alive until it is freed below; nobody else has seen it.
    let result = with(unsafe { object.borrow() });
    // SAFETY: as above.
    unsafe { object.free() };
    Ok(result)
}

raw_nif! {
    /// The pair of the term through the encoding of a key and of a value, stored and read back.
    fn codec_roundtrip/1(env, &[term]) {
        stored(env, env.make_tuple(&[term, term]), |object| decode::object(env, object))
    }
}

fn pair(env: Env, a: VmTerm, b: VmTerm, roles: [Role; 2]) -> Result<[Buffer; 2], Failure> {
    let mut buffers = [Buffer::new(), Buffer::new()];
    for ((buffer, role), term) in buffers.iter_mut().zip(roles).zip([a, b]) {
        encode_term(env, term, role, Keep::Borrow, buffer)?;
    }
    Ok(buffers)
}

fn with_pair<T>([a, b]: &[Buffer; 2], with: fn(Term, Term) -> T) -> T {
    // SAFETY: both hold one term, written by `encode_term`.
    unsafe { with(Term::at(a.words(), 0), Term::at(b.words(), 0)) }
}

raw_nif! {
    /// The term order of two terms: -1, 0 or 1; a tuple of three: of two keys, a key and a value,
    /// two values.
    fn codec_compare/2(env, &[a, b]) {
        let order = |roles| -> Result<VmTerm<'e>, Failure> {
            let order = with_pair(&pair(env, a, b, roles)?, compare);
            Ok(env.make_int64(order as i64))
        };
        Ok(env.make_tuple(&[
            order([Role::Key; 2])?,
            order([Role::Key, Role::Value])?,
            order([Role::Value; 2])?,
        ]))
    }
}

raw_nif! {
    /// `=:=` of two terms, likewise.
    fn codec_equal/2(env, &[a, b]) {
        let same = |roles| -> Result<VmTerm<'e>, Failure> {
            Ok(boolean(with_pair(&pair(env, a, b, roles)?, equal)))
        };
        Ok(env.make_tuple(&[
            same([Role::Key; 2])?,
            same([Role::Key, Role::Value])?,
            same([Role::Value; 2])?,
        ]))
    }
}

raw_nif! {
    /// The hash of a key under a seed: of a looked up key and of a stored one.
    fn codec_hash/2(env, &[term, seed]) {
        let seed = env.int64(seed).ok_or(BADARG)? as u64;
        let mut slot = Slot::default();
        let probe = hash_wide(encode_key(env, term, &mut slot)?, seed);
        let kept = stored(env, env.make_tuple(&[term]), |object| {
            hash_wide(object.element(0), seed)
        })?;
        Ok(env.make_tuple(&[env.make_uint64(probe), env.make_uint64(kept)]))
    }
}

/// The system's allocator is not asked.
#[cfg(feature = "system_allocator")]
fn block_bytes(words: usize) -> Option<usize> {
    Some(8 * words)
}

raw_nif! {
    /// The bytes of the block that an object of so many words gets, of at most a million.
    fn codec_block/1(env, &[words]) {
        let words = env.int64(words).filter(|words| (1..=1_000_000).contains(words));
        let bytes = block_bytes(words.ok_or(BADARG)? as usize).ok_or(SYSTEM_LIMIT)?;
        Ok(env.make_uint64(bytes as u64))
    }
}

raw_nif! {
    /// Nanoseconds to encode and free the object `{Key, Term}`, and to read it back, each done a
    /// number of times.
    fn codec_cost/2(env, &[term, times]) {
        let times = env.int64(times).filter(|times| (1..=1000).contains(times)).ok_or(BADARG)?;
        let pair = env.make_tuple(&[env.make_int64(1), term]);
        let start = Instant::now();
        for _ in 0..times {
            stored(env, pair, |_| ())?;
        }
        let encoded = start.elapsed();
        let decoded = stored(env, pair, |object| {
            let start = Instant::now();
            for _ in 0..times {
                std::hint::black_box(decode::object(env, object));
            }
            start.elapsed()
        })?;
        let nanoseconds = |total: Duration| env.make_int64(total.as_nanos() as i64 / times);
        Ok(env.make_tuple(&[nanoseconds(encoded), nanoseconds(decoded)]))
    }
}
