//! Files that use each other in a circle.

use std::collections::BTreeSet;

use crate::source::Crate;

/// Circles that are not allowed, and allowed ones that are no more.
pub fn check(sources: &Crate, allowed: &[&[&str]]) -> Vec<String> {
    let mut found = Vec::new();
    let circles = circles(sources);
    for circle in &circles {
        if !allowed.iter().any(|allowed| allowed == circle) {
            found.push(format!("a circle of files: {}", circle.join(", ")));
        }
    }
    for allowed in allowed {
        if !circles.iter().any(|circle| circle == allowed) {
            found.push(format!("no circle any more, so not to be allowed: {}", allowed.join(", ")));
        }
    }
    found
}

/// The strongly connected components of more than one file, each sorted. (A file is in the circle
/// of another if each can be reached from the other; crates are small enough for that.)
fn circles(sources: &Crate) -> Vec<Vec<String>> {
    let reachable: Vec<BTreeSet<usize>> =
        (0..sources.files.len()).map(|from| reach(sources, from)).collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for file in 0..sources.files.len() {
        let mutual = reachable[file].iter().filter(|&&other| reachable[other].contains(&file));
        let mut circle: Vec<String> =
            mutual.map(|&other| sources.files[other].path.clone()).collect();
        circle.sort();
        if circle.len() > 1 && seen.insert(circle.clone()) {
            circles.push(circle);
        }
    }
    circles
}

fn reach(sources: &Crate, from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        let new = sources.arrows[&next].iter().filter(|&&to| !reached.contains(&to));
        let new: Vec<usize> = new.copied().collect();
        reached.extend(new.iter().copied());
        open.extend(new);
    }
    reached
}
