//! How long files and functions are.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::rules::{FILE_LINES, FUNCTION_LINES};
use crate::source::Crate;

/// Files and functions that are too long.
pub fn check(sources: &Crate) -> Vec<String> {
    let mut found = Vec::new();
    for file in &sources.files {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            found.push(format!("{}: {lines} lines, {FILE_LINES} at most", file.path));
        }
        let mut measure = Measure { path: &file.path, found: &mut found };
        measure.visit_file(&file.syntax);
    }
    found
}

struct Measure<'a> {
    path: &'a str,
    found: &'a mut Vec<String>,
}

impl Measure<'_> {
    /// From the line of the signature to that of the closing brace.
    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let (first, last) = (signature.span().start().line, body.span().end().line);
        let lines = last - first + 1;
        if lines > FUNCTION_LINES {
            let (path, name) = (self.path, &signature.ident);
            self.found.push(format!(
                "{path}:{first}: {name} has {lines} lines, {FUNCTION_LINES} at most"
            ));
        }
    }
}

impl<'a> Visit<'a> for Measure<'_> {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}
