//! Where plans look.

use std::cmp::Ordering;

use super::*;
use crate::term::order::compare;
use crate::term::view::View;

/// A plan of a specification as text.
fn plan(spec: &str, keypos: usize, ordered: bool) -> Plan {
    testing::install();
    Program::compile(term(&erl::key(spec))).unwrap().plan(keypos, ordered)
}

fn finds(plan: &Plan, key: Term, ordered: bool) -> bool {
    match &plan.access {
        Access::Scan => true,
        Access::Ranges(ranges) => ranges.iter().any(|range| range.place(key).is_eq()),
        Access::Keys(keys) => keys.iter().any(|known| match ordered {
            true => compare(known.term(), key).is_eq(),
            false => equal(known.term(), key),
        }),
    }
}

/// If an object matches, then plans for all key positions find it.
pub(super) fn covered(spec: &str, object: &str) {
    let (spec_words, object_words) = (erl::key(spec), erl::key(object));
    let program = Program::compile(term(&spec_words)).unwrap();
    let View::Tuple(elements) = term(&object_words).view() else { return };
    let mut machine = Machine::default();
    if program.run(Subject::object(elements, 0), &mut machine).unwrap().is_none() {
        return;
    }
    for keypos in 1..=elements.len() {
        for ordered in [false, true] {
            let plan = program.plan(keypos, ordered);
            let key = elements.get(keypos - 1);
            assert!(finds(&plan, key, ordered), "{spec} at {keypos} misses {object}: {plan:?}");
        }
    }
}

/// Whether a plan for an ordered table finds keys.
fn ranges(spec: &str, inside: &[&str], outside: &[&str]) -> Reason {
    let plan = plan(spec, 1, true);
    assert!(!matches!(plan.access, Access::Scan), "{spec} scans");
    for key in inside {
        assert!(finds(&plan, term(&erl::key(key)), true), "{spec} misses {key}");
    }
    for key in outside {
        assert!(!finds(&plan, term(&erl::key(key)), true), "{spec} looks at {key}");
    }
    plan.reasons[0]
}

#[test]
fn bound_keys_are_looked_up() {
    for ordered in [false, true] {
        let plan = plan("[{{{a,1},'$1'},[],['$_']},{{b,'_'},[],['$_']}]", 1, ordered);
        let Access::Keys(keys) = plan.access else { panic!("no lookup") };
        assert_eq!(keys.len(), 2);
        assert_eq!(*plan.reasons, [Reason::BoundKey; 2]);
    }
    let reason = ranges("[{{'$1','_'},[{'=:=',5,'$1'}],['$_']}]", &["5"], &["6", "a"]);
    assert_eq!(reason, Reason::KeyByGuard);
    let by_position = "[{'_',[{'=:=',{element,1,'$_'},{const,{x}}}],['$_']}]";
    assert_eq!(ranges(by_position, &["{x}"], &["x"]), Reason::KeyByGuard);
}

#[test]
fn a_hash_table_tells_numbers_apart() {
    let plan_of = |guard: &str| plan(&format!("[{{{{'$1'}},[{guard}],[true]}}]"), 1, false);
    assert!(matches!(plan_of("{'==','$1',1}").access, Access::Scan));
    assert!(matches!(plan_of("{'=:=','$1',1}").access, Access::Keys(_)));
    assert_eq!(*plan_of("{'>','$1',1}").reasons, [Reason::Hashed]);
    let both = plan("[{{1},[],[true]},{{1.0},[],[true]},{{1},[],[true]}]", 1, false);
    let Access::Keys(keys) = both.access else { panic!("no lookup") };
    assert_eq!(keys.len(), 2);
}

#[test]
fn guards_limit_the_key() {
    let spec = "[{{'$1','_'},[{'>=','$1',3},{'andalso',{'<','$1',7},{is_integer,'$1'}}],[true]}]";
    let reason = ranges(spec, &["3", "3.0", "6.5"], &["2.5", "7", "a", "[]"]);
    assert_eq!(reason, Reason::GuardedKey);
    ranges("[{{'$1'},[{'>',a,'$1'}],[true]}]", &["1", "'A'"], &["a0", "{}"]);
    let none = plan("[{{'$1'},[{'>','$1',4},{'<','$1',4}],[true]}]", 1, true);
    assert!(matches!(none.access, Access::Keys(keys) if keys.is_empty()));
    assert_eq!(*none.reasons, [Reason::Contradiction]);
}

#[test]
fn alternatives_are_no_limit() {
    let spec = "[{{'$1'},[{'or',{'>','$1',4},{'<','$1',1}}],[true]}]";
    assert!(matches!(plan(spec, 1, true).access, Access::Scan));
}

#[test]
fn partly_bound_keys_are_ranges() {
    let reason = ranges(
        "[{{{a,'$1','_'},'_'},[],['$_']}]",
        &["{a,1,1}", "{a,<<255,255,255>>,x}", "{a,-1.0e308,0}"],
        &["{a,1}", "{b,1,1}", "{'A',1,1}", "a", "{a,1,1,1}"],
    );
    assert_eq!(reason, Reason::Prefix);
    let huge = format!("{{a,-{},0}}", "9".repeat(400));
    ranges("[{{{a,'$1','_'}},[],['$_']}]", &[&huge], &[]);
    let guarded = "[{{{a,'$1','$2'},'_'},[{'>','$1',5},{'=<','$1',9}],['$_']}]";
    let reason =
        ranges(guarded, &["{a,6,-1}", "{a,9,x}", "{a,9.0,x}"], &["{a,5,x}", "{a,10,x}", "{a,x,1}"]);
    assert_eq!(reason, Reason::GuardedPrefix);
    let nested = "[{{{{a,'$1'},'_'}},[],[true]}]";
    ranges(nested, &["{{a,1},z}", "{{a,[]},1}"], &["{{b,1},z}", "{{a},z}", "{{a,1,1},z}"]);
}

#[test]
fn lists_are_ranges_too() {
    let inside = ["[a,b]", "[a,b,c]", "[a,b|c]", "[a,b|<<1>>]"];
    let spec = "[{{[a,b|'$1']},[],[true]}]";
    ranges(spec, &inside, &["[a]", "[a,c]", "[a|b]", "[b,b]", "[]"]);
    ranges("[{{[a,'_',c]},[],[true]}]", &["[a,1,c]", "[a,{},c]"], &["[b,1,c]", "[]", "a"]);
}

#[test]
fn several_clauses_are_a_union() {
    let spec = "[{{'$1'},[{'<','$1',10},{'>','$1',5}],[1]},{{'$1'},[{'<','$1',7},{'>','$1',2}],[2]},\
                {{20},[],[3]}]";
    let plan = plan(spec, 1, true);
    let Access::Ranges(ranges) = plan.access else { panic!("no ranges") };
    assert_eq!(ranges.len(), 2);
    assert_eq!(ranges[1].point().map(|key| key.root()), Some(term(&erl::key("20")).root()));
    for (key, place) in [("2", Ordering::Less), ("3", Ordering::Equal), ("9", Ordering::Equal)] {
        assert_eq!(ranges[0].place(term(&erl::key(key))), place);
    }
}

#[test]
fn what_cannot_match_is_nowhere() {
    let plan = plan("[{{a},[],[true]},{x,[],[true]}]", 2, true);
    assert!(matches!(plan.access, Access::Keys(keys) if keys.is_empty()));
    assert_eq!(*plan.reasons, [Reason::TooSmall; 2]);
}

#[test]
fn maps_and_variables_do_not_bind() {
    for key in ["#{a => 1}", "'_'", "'$1'"] {
        let spec = format!("[{{{{{key}}},[],[true]}}]");
        assert!(matches!(plan(&spec, 1, false).access, Access::Scan), "{spec}");
    }
    assert!(!plan("[{{'$1'},[],[true]}]", 1, true).reasons[0].text().is_empty());
}
