//! Vectors that mostly have one element, which then costs no allocation.

use std::ops::Deref;

/// One element, or any number of them.
#[derive(Debug)]
pub enum Few<T> {
    /// One.
    One(T),
    /// Any number.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// None yet.
    pub const fn new() -> Few<T> {
        Few::Many(Vec::new())
    }

    /// Puts an element behind the others.
    pub fn push(&mut self, next: T) {
        *self = match std::mem::take(self) {
            Few::One(one) => Few::Many(vec![one, next]),
            Few::Many(many) if many.is_empty() => Few::One(next),
            Few::Many(mut many) => {
                many.push(next);
                Few::Many(many)
            }
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Few<T> {
        Few::new()
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(many: Vec<T>) -> Few<T> {
        Few::Many(many)
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Few::One(one) => std::slice::from_ref(one),
            Few::Many(many) => many,
        }
    }
}
