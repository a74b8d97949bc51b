//! What is allowed.

/// The longest file, in lines.
pub const FILE_LINES: usize = 700;

/// The longest function, in lines.
pub const FUNCTION_LINES: usize = 70;

/// Which top-level modules of the core each one uses.
pub const LAYERS: &[(&str, &[&str])] = &[
    ("table", &["engine", "matchspec", "term", "reclaim", "sync", "error", "faults", "accounting"]),
    ("catalog", &["reclaim", "sync", "accounting"]),
    ("matchspec", &["term", "error"]),
    ("engine", &["reclaim", "sync", "faults", "accounting", "error"]),
    ("term", &["sync", "error", "accounting"]),
    ("reclaim", &["sync", "accounting", "faults"]),
    ("faults", &["sync"]),
    ("sync", &[]),
    ("accounting", &[]),
    ("error", &[]),
];

/// Files of the core that name primitives of the standard library all the same.
pub const OUTSIDE_OF_SYNC: &[&str] = &[
    // Delays of real threads, in builds for tests alone.
    "faults.rs",
    // Statics, which loom cannot model.
    "engine/ca_tree/finger.rs",
    "term/host.rs",
];

/// Files of a crate that use each other in a circle, sorted. Most are one idea in several files. None
/// is to be added; one that is gone has to go from this list.
pub fn circles(name: &str) -> &'static [&'static [&'static str]] {
    match name {
        "etsunami" => CORE,
        _ => BOUNDARY,
    }
}

const CORE: &[&[&str]] = &[
    &["engine/batch/descriptor.rs", "engine/batch/node.rs"],
    &[
        "engine/ca_tree/leaf.rs",
        "engine/ca_tree/node.rs",
        "engine/ca_tree/route.rs",
        "engine/ca_tree/search.rs",
    ],
    &["engine/group/block.rs", "engine/group/edit.rs", "engine/group/trie.rs"],
    &["engine/group/iter.rs", "engine/group/small.rs", "engine/group/view.rs"],
    &["engine/hash/directory.rs", "engine/hash/segment.rs"],
    &["matchspec/build.rs", "matchspec/call.rs", "matchspec/run.rs"],
    &["matchspec/condition.rs", "matchspec/expr.rs"],
    &["matchspec/glance.rs", "matchspec/program.rs", "matchspec/set.rs"],
    &["reclaim/collector.rs", "reclaim/participant.rs", "reclaim/worker.rs"],
    &["table/build.rs", "table/list.rs", "table/scatter.rs", "table/write.rs"],
    &[
        "table/draft.rs",
        "table/generation.rs",
        "table/groups.rs",
        "table/keys.rs",
        "table/ordered.rs",
    ],
    &["term/bits.rs", "term/host.rs", "term/view.rs"],
    &["term/number.rs", "term/order.rs"],
];

const BOUNDARY: &[&[&str]] = &[
    // Through the count of environments in builds for tests (`accounting`).
    &[
        "accounting.rs",
        "atoms.rs",
        "belongings.rs",
        "budget.rs",
        "codec/foreign.rs",
        "error.rs",
        "owner.rs",
        "resource.rs",
        "vm.rs",
        "vm_terms/heap.rs",
        "vm_terms/held_binary.rs",
        "vm_terms/large_map.rs",
        "vm_terms/layout.rs",
        "vm_terms/make.rs",
        "vm_terms/reader.rs",
        "vm_terms/tags.rs",
    ],
    &["faults.rs", "raw.rs"],
];
