//! The releases where `0.0 =:= -0.0`. In a process of its own, because the host is set once.

use etsunami::term::buffer::Buffer;
use etsunami::term::equal::equal;
use etsunami::term::hash::hash_wide;
use etsunami::term::host::{self, Host};
use etsunami::term::layout::immediate;
use etsunami::term::order::{compare, compare_exact};
use etsunami::term::view::Term;

static HOST: Host = Host { zero_floats_equal: true, ..host::DEFAULT };

fn float(value: f64) -> Buffer {
    let mut buffer = Buffer::new();
    let at = buffer.reserve(1).unwrap();
    buffer.float(at, value).unwrap();
    buffer
}

/// `{[Value], #{Value => []}}`
fn nested(value: f64) -> Buffer {
    let mut buffer = Buffer::new();
    let at = buffer.reserve(1).unwrap();
    let tuple = buffer.open_tuple(at, 2).unwrap();
    let list = buffer.open_list(tuple + 1, 1).unwrap();
    buffer.float(list + 1, value).unwrap();
    buffer.mark_irregular(list);
    buffer.close(list);
    let map = buffer.open_map(tuple + 2, 1).unwrap();
    buffer.float(map + 1, value).unwrap();
    buffer.set(map + 2, immediate::NIL);
    buffer.mark_sorted(map);
    buffer.mark_irregular(map);
    buffer.close(map);
    buffer.mark_irregular(tuple);
    buffer.close(tuple);
    buffer
}

fn term(buffer: &Buffer) -> Term<'_> {
    // SAFETY: made above.
    unsafe { Term::at(buffer.words(), 0) }
}

#[test]
fn both_zeros_are_one_key() {
    host::set(&HOST);
    for make in [float, nested] {
        let (plus, minus, one) = (make(0.0), make(-0.0), make(1.0));
        let (plus, minus, one) = (term(&plus), term(&minus), term(&one));
        assert!(equal(plus, minus) && compare(plus, minus).is_eq());
        assert!(compare_exact(plus, minus).is_eq());
        assert_eq!(hash_wide(plus, 7), hash_wide(minus, 7));
        assert!(!equal(plus, one) && compare_exact(minus, one).is_lt());
    }
}
