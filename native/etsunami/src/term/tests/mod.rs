//! Properties of terms against a plain model, and the sizes that break naive walks.

mod deep;
mod laws;
mod objects;
mod stems;
