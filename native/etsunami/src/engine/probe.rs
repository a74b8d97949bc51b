//! A key that a search in an ordered engine carries along.

use super::OrderSchema;

/// A key that is searched for, with its prefix.
pub(super) struct Probe<'k, S: OrderSchema> {
    pub prefix: u64,
    pub key: &'k S::Key,
}

impl<S: OrderSchema> Clone for Probe<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: OrderSchema> Copy for Probe<'_, S> {}

impl<'k, S: OrderSchema> Probe<'k, S> {
    #[inline(always)]
    pub fn new(schema: &S, key: &'k S::Key) -> Self {
        Probe { prefix: schema.prefix(key), key }
    }
}
