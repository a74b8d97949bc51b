//! Plain patterns against programs.

use super::*;

/// If a specification is plain, it gives for a stored object what its program gives, and looks
/// for objects of this key where the program's plan does.
pub(super) fn agrees(spec: Term, subject: Subject, given: Option<&Buffer>) {
    let mut plain = Plain::of_any();
    if plain.read(spec).is_none() {
        return;
    }
    let matches = plain.matches(&subject);
    assert_eq!(matches, given.is_some(), "{subject:?} by {plain:?}");
    if let Some(given) = given {
        let result = plain.give(&subject, |outcome| encoded(subject, outcome));
        assert!(equal(term(&result), term(given)), "{subject:?} by {plain:?}");
    }
    let program = Program::compile(spec).unwrap();
    for (keypos, ordered) in [(1, false), (1, true), (2, false), (2, true)] {
        let planned = program.plan(keypos, ordered).access;
        if let Some(access) = plain.access(keypos, ordered) {
            assert!(same_places(&access, &planned), "{access:?}, but {planned:?}");
        }
        if let Some(key) = plain.key(keypos) {
            let Access::Keys(keys) = planned else { panic!("{planned:?}, but {key:?}") };
            assert!(keys.iter().all(|known| equal(known.term(), key)), "{keys:?}, but {key:?}");
        }
    }
}

fn same_places(a: &Access, b: &Access) -> bool {
    match (a, b) {
        (Access::Scan, Access::Scan) => true,
        (Access::Keys(a), Access::Keys(b)) => {
            a.len() == b.len() && a.iter().zip(&**b).all(|(a, b)| equal(a.term(), b.term()))
        }
        (Access::Ranges(a), Access::Ranges(b)) => a.len() == 1 && b.len() == 1,
        _ => false,
    }
}

fn is_plain(spec: &str) -> bool {
    testing::install();
    Plain::of_any().read(term(&erl::key(spec))).is_some()
}

#[test]
fn what_is_asked_often_is_plain() {
    let often = [
        "[{'_',[],['$_']}]",
        "[{{1,'_'},[],['$_']}]",
        "[{{{a,'$2'},'$1'},[],['$$']}]",
        "[{{'_','$1'},[{'<','$1',5}],['$_']}]",
        "[{{'$3','$1'},[{'<',5,'$1'},{'=/=','$3',7}],[true]}]",
    ];
    for spec in often {
        assert!(is_plain(spec), "{spec}");
    }
    let others = [
        "[{{'$1','$1'},[],['$_']}]",
        "[{{'$1','_'},[{'<','$2',5}],['$_']}]",
        "[{{'$1','_'},[{'<','$1',a}],['$_']}]",
        "[{{'$1','_'},[{'+','$1',5}],['$_']}]",
        "[{{'$1','_'},[],['$2']}]",
        "[{{'$1','_'},[],['$1','$_']}]",
        "[{'$1',[],['$_']}]",
        "[{{1},[],['$_']},{{2},[],['$_']}]",
    ];
    for spec in others {
        assert!(!is_plain(spec), "{spec}");
    }
}

#[test]
fn comparisons_are_those_of_programs() {
    const VALUES: [&str; 10] = [
        "5",
        "6",
        "4",
        "5.0",
        "5.5",
        "a",
        "{5}",
        "[]",
        "<<5>>",
        "1308012711361936742474176987000832",
    ];
    for relation in ["<", "=<", ">", ">=", "==", "/=", "=:=", "=/="] {
        for value in VALUES {
            let heads =
                [("{'_','$1'}", format!("{{k,{value}}}")), ("{'$1'}", format!("{{{value}}}"))];
            let inner = ("{{k,'$1'},'$2','_'}", format!("{{{{k,{value}}},7,b}}"));
            for (head, object) in heads.into_iter().chain([inner]) {
                for guard in ["'$1',5", "5,'$1'"] {
                    let spec = format!("[{{{head},[{{'{relation}',{guard}}}],['$$']}}]");
                    assert!(is_plain(&spec), "{spec}");
                    _ = results(term(&erl::key(&spec)), term(&erl::key(&object)));
                }
            }
        }
    }
}
