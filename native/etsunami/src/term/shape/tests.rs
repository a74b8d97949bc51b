//! What is taken in, what it is found by, and where it ends.

use std::collections::HashMap;
use std::thread;

use super::room::Room;
use super::{MAX_KEYS, Shape};

fn atom(n: usize) -> u64 {
    (n as u64) << 6 | 0x0b
}

/// The `n`th of many sets of three keys.
fn keys(n: usize) -> [u64; 3] {
    [atom(n), atom(n + 1), atom(2 * n + 2)]
}

#[test]
fn equal_keys_are_one_shape_and_others_another() {
    static ROOM: Room<1024, 128, 8> = Room::new();
    let shapes: Vec<Shape> = (0..8).map(|n| ROOM.intern(&keys(n)).unwrap()).collect();
    for (n, &shape) in shapes.iter().enumerate() {
        assert_eq!(ROOM.intern(&keys(n)), Some(shape));
        assert_eq!((ROOM.keys(shape), shape.len()), (&keys(n)[..], 3));
        assert!(shapes[..n].iter().all(|&other| other != shape));
    }
    // The same atoms in another order, and the first two alone.
    let [a, b, c] = keys(0);
    for others in [&[a, c, b][..], &[a, b], &[a, b, c, atom(7)]] {
        let shape = ROOM.intern(others).unwrap();
        assert!(ROOM.keys(shape) == others && shapes.iter().all(|&known| known != shape));
    }
}

#[test]
fn only_a_few_atoms_are_a_shape() {
    static ROOM: Room<1024, 64, 8> = Room::new();
    let atoms: Vec<u64> = (0..=MAX_KEYS).map(atom).collect();
    let number = 7 << 4 | 0xf;
    for n in [2, MAX_KEYS] {
        assert_eq!(ROOM.intern(&atoms[..n]).map(Shape::len), Some(n));
    }
    for other in [&atoms[..0], &atoms[..1], &atoms] {
        assert_eq!(ROOM.intern(other), None);
    }
    for at in 0..3 {
        let mut mixed = keys(3);
        mixed[at] = number;
        assert_eq!(ROOM.intern(&mixed), None, "{at}");
    }
}

/// However many sets of keys come, and however often: the room does not grow, what was taken stays,
/// and the rest has no shape.
#[test]
fn the_room_is_bounded() {
    static ROOM: Room<128, 128, 4096> = Room::new();
    let mut known = HashMap::new();
    for _ in 0..300 {
        for n in 0..200 {
            if let Some(shape) = ROOM.intern(&keys(n)) {
                assert_eq!(ROOM.keys(shape), keys(n));
                assert_eq!(*known.entry(n).or_insert(shape), shape);
            }
        }
    }
    let words = 3 * known.len();
    assert!((128 - MAX_KEYS - 3..128).contains(&words), "{words} words");
    assert!((0..200).all(|n| known.contains_key(&n) == ROOM.intern(&keys(n)).is_some()));
}

/// The number of shapes is bounded as well, by the index.
#[test]
fn the_index_is_never_more_than_half_full() {
    static ROOM: Room<4096, 32, 4096> = Room::new();
    let sets = (0..200).flat_map(|n| std::iter::repeat_n(n, 300));
    let mut taken: Vec<Shape> = sets.filter_map(|n| ROOM.intern(&keys(n))).collect();
    taken.dedup();
    assert_eq!(taken.len(), 16);
}

/// Sets of keys that come once fill a quarter; a set that comes again and again finds room.
#[test]
fn the_fuller_the_room_the_more_often_a_shape_has_to_be_seen() {
    static ROOM: Room<4096, 4096, 64> = Room::new();
    let taken = (0..100_000).filter(|&n| ROOM.intern(&keys(n)).is_some()).count();
    assert!((330..380).contains(&taken), "{taken}");
    let frequent = keys(1_000_000);
    assert_eq!(ROOM.intern(&frequent), None);
    let shape = (0..1000).find_map(|n| {
        _ = ROOM.intern(&keys(200_000 + n));
        ROOM.intern(&frequent)
    });
    assert_eq!(shape.map(|shape| ROOM.keys(shape)), Some(&frequent[..]));
}

#[test]
fn threads_agree_on_shapes() {
    static ROOM: Room<4096, 4096, 64> = Room::new();
    const SETS: usize = 300;
    let find = |thread: usize| {
        let order = (0..SETS).map(move |i| (i * 7 + thread * 11) % SETS);
        order.map(|n| (n, ROOM.intern(&keys(n)).unwrap())).collect::<HashMap<_, _>>()
    };
    let found = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || find(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(found.iter().all(|shapes| *shapes == found[0]));
    assert!(found[0].iter().all(|(&n, &shape)| ROOM.keys(shape) == keys(n)));
}
