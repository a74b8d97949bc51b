//! Which paths a file uses, and the rules about them.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree};

use crate::rules::OUTSIDE_OF_SYNC;
use crate::source::Crate;

/// Names that a file imports or exports again, with the paths they have from the crate's root.
pub type Names = BTreeMap<String, Vec<String>>;

/// The paths used in a file, and the names it imports.
pub fn of(file: &syn::File, module: &[String]) -> (BTreeSet<Vec<String>>, Names) {
    let children = file.items.iter().filter_map(|item| match item {
        Item::Mod(child) => Some(child.ident.to_string()),
        _ => None,
    });
    let mut reader = Reader {
        module: module.to_vec(),
        children: children.collect(),
        uses: BTreeSet::new(),
        names: Names::new(),
        depth: 0,
    };
    reader.visit_file(file);
    (reader.uses, reader.names)
}

struct Reader {
    module: Vec<String>,
    children: BTreeSet<String>,
    uses: BTreeSet<Vec<String>>,
    names: Names,
    /// How many inline modules the reader is in.
    depth: usize,
}

impl Reader {
    /// The path from the crate's root; `std::…` and other crates begin with an empty part.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = self.module.clone();
        let mut above = self.depth;
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => return Some(path[1..].to_vec()),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    rest = &rest[1..];
                    if above > 0 {
                        above -= 1;
                    } else {
                        base.pop()?;
                    }
                }
            }
            name if self.children.contains(name) => {}
            _ => return Some([vec![String::new()], path.to_vec()].concat()),
        }
        Some([base, rest.to_vec()].concat())
    }

    fn note(&mut self, path: &[String], name: Option<String>) {
        let Some(path) = self.absolute(path) else { return };
        if let (Some(name), 0) = (name, self.depth)
            && path.first().is_some_and(|part| !part.is_empty())
        {
            self.names.insert(name, path.clone());
        }
        self.uses.insert(path);
    }

    fn tree(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before);
                before.pop();
            }
            UseTree::Name(name) if name.ident == "self" => {
                let last = before.last().cloned();
                self.note(&before.clone(), last);
            }
            UseTree::Name(name) => self.leaf(before, &name.ident, name.ident.to_string()),
            UseTree::Rename(rename) => self.leaf(before, &rename.ident, rename.rename.to_string()),
            UseTree::Glob(_) => self.note(&before.clone(), None),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, before);
                }
            }
        }
    }

    fn leaf(&mut self, before: &[String], ident: &syn::Ident, name: String) {
        let path = [before.to_vec(), vec![ident.to_string()]].concat();
        self.note(&path, Some(name));
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.tree(&item.tree, &mut Vec::new());
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if !is_for_tests(&item.attrs) {
            self.depth += 1;
            visit::visit_item_mod(self, item);
            self.depth -= 1;
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        let is_path = parts.len() > 1 && parts[0] != "Self";
        if is_path && matches!(parts[0].as_str(), "crate" | "super" | "self" | "std" | "core") {
            self.note(&parts, None);
        }
        visit::visit_path(self, path);
    }
}

/// `#[cfg(test)]` and its like.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| {
                let text = list.tokens.to_string();
                text == "test" || text.starts_with("all (test")
            })
    })
}

/// Modules use only those of the layers below them.
pub fn layers(sources: &Crate, layers: &[(&str, &[&str])]) -> Vec<String> {
    let mut found = Vec::new();
    for (&from, targets) in &sources.arrows {
        let Some(layer) = sources.files[from].module.first() else { continue };
        let Some((_, allowed)) = layers.iter().find(|(name, _)| name == layer) else {
            found.push(format!("{}: {layer} is in no layer", sources.files[from].path));
            continue;
        };
        for &to in targets {
            let Some(used) = sources.files[to].module.first() else { continue };
            if used != layer && !allowed.contains(&used.as_str()) {
                let (from, to) = (&sources.files[from].path, &sources.files[to].path);
                found.push(format!("{from}: the layer {layer} may not use {to}"));
            }
        }
    }
    found
}

/// Only `sync` names the primitives of the standard library.
pub fn outside_of_sync(sources: &Crate) -> Vec<String> {
    let mut found = Vec::new();
    for file in &sources.files {
        let is_sync = file.module.first().is_some_and(|name| name == "sync");
        let is_allowed = is_sync || OUTSIDE_OF_SYNC.contains(&file.path.as_str());
        for path in file.uses.iter().filter(|path| !is_allowed && is_primitive(path)) {
            found.push(format!("{}: {} instead of crate::sync", file.path, path[1..].join("::")));
        }
    }
    found
}

fn is_primitive(path: &[String]) -> bool {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts[..] {
        ["", "std" | "core" | "alloc", "sync", ref rest @ ..] => {
            // What a lock answers is no primitive, and one that is set once has no model.
            !matches!(rest, ["PoisonError" | "MutexGuard" | "OnceLock" | "LazyLock", ..])
        }
        ["", "std", "thread", "available_parallelism"] => false,
        ["", "std", "thread", ..] => true,
        _ => false,
    }
}
