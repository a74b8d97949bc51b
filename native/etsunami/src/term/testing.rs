//! Terms for tests.
