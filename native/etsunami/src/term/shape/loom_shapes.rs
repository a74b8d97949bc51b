//! The race of those who look for a shape with those who take it in.

use super::Shape;
use super::room::Room;
use crate::sync::{Arc, thread};

type Small = Room<40, 32, 1>;

fn atoms<const N: usize>(numbers: [u64; N]) -> [u64; N] {
    numbers.map(|number| number << 6 | 0x0b)
}

/// Two threads meet one set of keys, and a third thread another one: the first two get one shape,
/// with its keys as they were written (`Room::find` reads them without a lock).
#[test]
fn loom_shape_found_by_another_thread() {
    loom::model(|| {
        let room = Arc::new(Small::new());
        let finder = |keys: [u64; 2]| {
            let room = Arc::clone(&room);
            thread::spawn(move || room.intern(&keys))
        };
        let (first, other) = (finder(atoms([1, 2])), finder(atoms([1, 3])));
        let second = room.intern(&atoms([1, 2]));
        let (first, other): (Option<Shape>, _) = (first.join().unwrap(), other.join().unwrap());
        assert!(first.is_some() && first == second);
        assert!(other != first);
        assert_eq!(room.intern(&atoms([1, 2])), first);
    });
}
