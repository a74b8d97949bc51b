//! Nesting that no recursion survives, and maps of a hundred thousand keys.

use super::super::buffer::Buffer;
use super::super::equal::equal;
use super::super::hash::hash_wide;
use super::super::layout::{Foreign, immediate};
use super::super::object::{ObjectPtr, release, retain};
use super::super::order::{compare, compare_exact};
use super::super::prefix::prefix;
use super::super::testing::*;

/// Far more than a test thread's stack has frames for; the whole million where it is fast.
const LEVELS: usize = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };

/// How a level holds the next one.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// `[Next]`
    List,
    /// `{Next, []}`: a frame is left behind on every level.
    Tuple,
    /// `#{[] => Next}`
    Map,
    /// `#{Next => []}`
    Key,
}

/// Opens a level at a root position; gives its block and the position of the next one.
fn open(buffer: &mut Buffer, at: usize, shape: Shape) -> (usize, usize) {
    match shape {
        Shape::List => {
            let block = buffer.open_list(at, 1).unwrap();
            (block, block + 1)
        }
        Shape::Tuple => {
            let block = buffer.open_tuple(at, 2).unwrap();
            buffer.set(block + 2, immediate::NIL);
            (block, block + 1)
        }
        Shape::Map | Shape::Key => {
            let block = buffer.open_map(at, 1).unwrap();
            let next = if matches!(shape, Shape::Map) { 2 } else { 1 };
            buffer.set(block + 3 - next, immediate::NIL);
            (block, block + next)
        }
    }
}

fn nested(shape: Shape, innermost: impl FnOnce(&mut Buffer, usize) -> bool) -> Buffer {
    install();
    let mut buffer = Buffer::new();
    let mut at = buffer.reserve(1).unwrap();
    let mut blocks = Vec::new();
    for _ in 0..LEVELS {
        let (block, next) = open(&mut buffer, at, shape);
        blocks.push(block);
        at = next;
    }
    let irregular = innermost(&mut buffer, at);
    for block in blocks.into_iter().rev() {
        if irregular {
            buffer.mark_irregular(block);
        }
        buffer.close(block);
    }
    buffer
}

fn small(value: i64) -> impl FnOnce(&mut Buffer, usize) -> bool {
    move |buffer, at| {
        buffer.set(at, immediate::small(value).unwrap());
        false
    }
}

fn reference(n: u64, keeper: u64) -> impl FnOnce(&mut Buffer, usize) -> bool {
    move |buffer, at| {
        buffer.foreign(at, Foreign::Reference, n, n, keeper).unwrap();
        true
    }
}

fn check(shape: Shape) {
    let (a, b) = (nested(shape, small(1)), nested(shape, small(2)));
    assert!(equal(term(&a), term(&a)) && !equal(term(&a), term(&b)));
    assert!(compare(term(&a), term(&b)).is_lt());
    assert!(compare_exact(term(&b), term(&a)).is_gt());
    assert_ne!(hash_wide(term(&a), 1), hash_wide(term(&b), 1));
    assert!(prefix(term(&a)) <= prefix(term(&b)));
}

fn check_irregular(shape: Shape) {
    let keeper = Keeper::leak();
    let a = nested(shape, reference(1, keeper.word()));
    let b = nested(shape, reference(1, 0));
    let c = nested(shape, reference(2, 0));
    assert!(equal(term(&a), term(&b)) && !equal(term(&a), term(&c)));
    assert!(compare(term(&a), term(&c)).is_lt());
    assert_eq!(hash_wide(term(&a), 1), hash_wide(term(&b), 1));
    retain(term(&a));
    assert_eq!(keeper.holders(), 1);
    release(term(&a));
    assert_eq!(keeper.holders(), 0);
}

#[test]
fn nested_lists() {
    check(Shape::List);
    check_irregular(Shape::List);
}

#[test]
fn nested_tuples() {
    check(Shape::Tuple);
    check_irregular(Shape::Tuple);
}

#[test]
fn nested_maps() {
    check(Shape::Map);
    check_irregular(Shape::Map);
}

#[test]
fn nested_map_keys() {
    check(Shape::Key);
    check_irregular(Shape::Key);
}

#[test]
fn deep_objects_are_freed() {
    let keeper = Keeper::leak();
    let words = nested(Shape::Tuple, reference(1, keeper.word()));
    // SAFETY: one well-formed element; the object takes over the keeper that is counted here.
    unsafe {
        retain(term(&words));
        let object = ObjectPtr::new(0, 1, words.words()).unwrap();
        let copy = object.clone_with([]).unwrap();
        assert_eq!(keeper.holders(), 2);
        object.free();
        copy.free();
    }
    assert_eq!(keeper.holders(), 0);
}

/// A map of `n` keys in an order that `stride` permutes.
fn wide_map(n: i64, stride: i64, last: i64) -> Buffer {
    let mut buffer = Buffer::new();
    let at = buffer.reserve(1).unwrap();
    let block = buffer.open_map(at, n as usize).unwrap();
    for i in 0..n {
        let key = i * stride % n;
        let value = if key == n - 1 { last } else { key };
        buffer.set(block + 1 + i as usize, immediate::small(key).unwrap());
        buffer.set(block + 1 + (n + i) as usize, immediate::small(value).unwrap());
    }
    if stride == 1 {
        buffer.mark_sorted(block);
    }
    buffer.close(block);
    buffer
}

#[test]
fn maps_of_many_keys() {
    const N: i64 = 100_003;
    let (sorted, mixed, other) = (wide_map(N, 1, 0), wide_map(N, 7919, 0), wide_map(N, 31, 1));
    assert!(equal(term(&sorted), term(&mixed)));
    assert!(compare(term(&sorted), term(&mixed)).is_eq());
    assert!(compare(term(&mixed), term(&other)).is_lt());
    assert!(!equal(term(&mixed), term(&other)));
}
