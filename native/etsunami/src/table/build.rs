//! A list insert into an empty table.
//!
//! The contents that the list makes are built apart, as the engine would hold them, and published
//! by one store if the table is empty then (see the engines' modules `bulk`). So there are no
//! version nodes and nothing to clean up. If the table is not empty after all, the list goes the
//! general way.

use crate::engine::{Change, Delta, Word};
use crate::error::{Error, Result};
use crate::reclaim::{self, Guard};
use crate::term::object::{Object, ObjectPtr};

use super::generation::{Engine, Generation};
use super::groups;
use super::keys::{Held, held, word_of};
use super::list::{Item, ListInsert};
use super::ordered::Ordered;
use super::write::put_step;

/// Objects under one guard, and between two questions whether the list is still wanted.
const STRIDE: usize = 1024;

/// How many objects ahead a bucket is fetched.
const AHEAD: usize = 8;

/// How an attempt to build ended.
pub(super) enum Built {
    /// The objects are the table's contents.
    Done,
    /// The table is not empty; the objects are in the list.
    Declined,
    /// The list is not wanted any more; the objects are in the list.
    Stopped,
}

impl Generation {
    /// True if a list may become the whole contents. An estimate: others may be at work.
    fn seems_vacant(&self, guard: &Guard) -> bool {
        match &self.engine {
            Engine::Hash(table) => table.seems_vacant(guard),
            Engine::Ordered(Ordered::Tree(tree)) => tree.seems_vacant(guard),
            Engine::Ordered(Ordered::List(_)) => false,
        }
    }
}

impl ListInsert<'_> {
    /// Makes the list the contents of an empty table, atomically.
    pub(super) fn build(
        &mut self,
        generation: &Generation,
        wanted: &impl Fn() -> bool,
    ) -> Result<Built> {
        if !generation.seems_vacant(&reclaim::pin()) {
            return Ok(Built::Declined);
        }
        match &generation.engine {
            Engine::Hash(_) => self.build_hash(generation, wanted),
            Engine::Ordered(_) => Ok(self.build_tree(generation, wanted)),
        }
    }

    fn build_hash(&mut self, generation: &Generation, wanted: &impl Fn() -> bool) -> Result<Built> {
        let Engine::Hash(table) = &generation.engine else { return Ok(Built::Declined) };
        let mut bulk = table.bulk(self.objects.len());
        let mut delta = Delta::ZERO;
        let mut done = 0;
        while done < self.objects.len() {
            let end = self.objects.len().min(done + STRIDE);
            let guard = reclaim::pin();
            for at in done..end {
                if let Some(later) = self.objects.get(at + AHEAD) {
                    bulk.prefetch(later.digest);
                }
                let item = self.objects[at];
                // SAFETY: the engine does not keep the key after the call.
                let key = unsafe { self.table.key_of(item).erase() };
                bulk.put(&key, |old| add(&guard, generation, old, item.object, &mut delta));
            }
            done = end;
            if done < self.objects.len() && !wanted() {
                self.objects.drain(..done);
                return Ok(Built::Stopped);
            }
        }
        self.objects.clear();
        let guard = reclaim::pin();
        if generation.is_closed() || !wanted() || !self.admission.holds(&guard) {
            return Ok(Built::Stopped);
        }
        match bulk.publish(&guard, delta) {
            Ok(()) => Ok(Built::Done),
            Err(mut bulk) => {
                let mut result = Ok(Built::Declined);
                bulk.take_words(|word| {
                    if let Err(error) = self.take_back(&guard, generation, word) {
                        result = Err(error.into());
                    }
                });
                result
            }
        }
    }

    /// Puts what was not published back into the list.
    #[cold]
    fn take_back(
        &mut self,
        guard: &Guard,
        generation: &Generation,
        word: Word,
    ) -> std::result::Result<(), Error> {
        if let Held::Object(object) = held(word) {
            self.objects.push(Item { digest: object.hash(), object });
            return Ok(());
        }
        // A group is of one piece with its objects, so the list gets copies of them.
        let digest = groups::first(word).hash();
        let copy = |object: Object| {
            // SAFETY: the group keeps its objects, and nobody else knows it.
            let object =
                unsafe { object.pointer().clone_with([]) }.map_err(|_limit| Error::SystemLimit)?;
            self.objects.push(Item { digest, object });
            Ok(())
        };
        let copied = groups::members(word, guard).try_for_each(copy);
        // SAFETY: never published.
        unsafe { generation.keys().owned.release(word) };
        copied
    }

    fn build_tree(&mut self, generation: &Generation, wanted: &impl Fn() -> bool) -> Built {
        let Engine::Ordered(Ordered::Tree(tree)) = &generation.engine else {
            return Built::Declined;
        };
        self.sort();
        self.drop_repeated();
        let mut bulk = tree.bulk();
        let mut delta = Delta::ZERO;
        for stride in self.objects.chunks(STRIDE) {
            if !wanted() {
                return Built::Stopped;
            }
            let guard = reclaim::pin();
            for item in stride {
                delta.objects += 1;
                delta.words += groups::object_words(item.object);
                bulk.push(&guard, item.digest, word_of(item.object));
            }
        }
        let guard = reclaim::pin();
        if generation.is_closed() || !self.admission.holds(&guard) {
            return Built::Stopped;
        }
        if !bulk.publish(&guard, delta) {
            return Built::Declined;
        }
        self.objects.clear();
        Built::Done
    }
}

/// The word of a key, in contents that nobody else knows, after one more object of the list.
#[inline(always)]
fn add(
    guard: &Guard,
    generation: &Generation,
    old: Word,
    object: ObjectPtr,
    delta: &mut Delta,
) -> Word {
    let owned = &generation.keys().owned;
    let (change, more) = if old.is_empty() || owned.is_unique() {
        let step = put_step(held(old), object);
        (step.change, step.delta)
    } else {
        let step = owned.append(held(old), object);
        if !step.result {
            // SAFETY: a duplicate, still ours alone.
            unsafe { object.free() };
        }
        (step.change, step.delta)
    };
    delta.objects += more.objects;
    delta.words += more.words;
    let Change::Put(new) = change else { return old };
    owned.replace(guard, old, new);
    new
}
