//! Searches in chunks of every size against a look at every object.

use std::collections::BTreeMap;

use crate::matchspec::tests::erl;
use crate::matchspec::{Access, Caller, Machine, Outcome, Part, Plan, Program, Subject};
use crate::reclaim::pin;
use crate::table::options::Kind;
use crate::table::tests::{Form, KINDS};
use crate::table::{Cursor, Direction, Draft, Quota, Table};
use crate::term::object::Object;
use crate::term::testing::{Place as Stands, Sample, encode_object, install, term};
use crate::term::view::View;

fn table(form: impl Into<Form>) -> Table {
    install();
    Table::new(form.into().spec(), 12345)
}

fn insert(table: &Table, object: &str) {
    let Sample::Tuple(elements) = erl::parse(object) else { panic!("no object") };
    let buffer = encode_object(&elements, Stands::Key);
    // SAFETY: encoded by the line above, without keepers.
    let draft = unsafe { Draft::new(buffer.words(), elements.len()) };
    table.insert(&pin(), draft).unwrap();
}

/// `{K, V}` for many K, among them equal numbers of both types; in bags three of each.
fn filled(form: impl Into<Form>) -> Table {
    let table = table(form);
    for i in 0..150 {
        for v in 0..3 {
            insert(&table, &format!("{{{i},{v}}}"));
            insert(&table, &format!("{{{{a,{},{i}}},{v}}}", i % 7));
        }
    }
    (0..5).for_each(|i| insert(&table, &format!("{{{i}.0,float}}")));
    (0..300).for_each(|i| insert(&table, &format!("{{many,{i}}}")));
    table
}

fn program(spec: &str) -> (Program, Table) {
    let table = table(Kind::Set);
    (Program::compile(term(&erl::key(spec))).unwrap(), table)
}

/// The text of what matched: the words of keys and values.
fn shown(object: Object<'_>) -> String {
    // SAFETY: the callers keep a guard.
    object.elements().map(|part| format!("{part:?};")).collect()
}

fn count(of: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    of.for_each(|item| *counts.entry(item).or_default() += 1);
    counts
}

/// What a search finds in chunks.
fn found(
    table: &Table,
    program: &Program,
    access: &Access,
    direction: Direction,
    quota: Quota,
) -> Vec<String> {
    let (mut cursor, mut all) = (Some(Cursor::Start), Vec::new());
    let mut machine = Machine::new(Caller::default());
    while let Some(from) = cursor {
        let guard = pin();
        let (mut left, mut chunk) = (quota, 0);
        let next = table.select(
            &guard,
            program,
            access,
            from,
            direction,
            &mut left,
            &mut machine,
            |object, _, _| {
                all.push(shown(object));
                chunk += 1;
                true
            },
        );
        cursor = next.unwrap();
        assert!(chunk <= quota.matches);
        assert!(cursor.is_none() || left.matches == 0 || left.visits == 0);
    }
    all
}

/// What every object of the table says.
fn expected(table: &Table, program: &Program) -> BTreeMap<String, usize> {
    let guard = pin();
    let (mut cursor, mut all) = (Some(Cursor::Start), Vec::new());
    let mut machine = Machine::new(Caller::default());
    while let Some(from) = cursor {
        cursor = table.scan(&guard, from, Direction::Ascending, 50, |object| {
            // SAFETY: the guard keeps the object.
            let subject = Subject::object(object.elements(), 0);
            if program.run(subject, &mut machine).unwrap().is_some() {
                all.push(shown(object));
            }
        });
    }
    count(all.into_iter())
}

const SPECS: [&str; 12] = [
    "[{'_',[],['$_']}]",
    "[{{'$1','$2'},[],[{{'$2','$1'}}]}]",
    "[{{5,'_'},[],[true]}]",
    "[{{many,'$1'},[{'<','$1',100}],['$1']}]",
    "[{{'$1','_'},[{'>=','$1',2},{'<','$1',40}],['$_']}]",
    "[{{'$1','_'},[{'=:=','$1',3}],['$_']}]",
    "[{{'$1','_'},[{'==','$1',3}],['$_']}]",
    "[{{{a,3,'$1'},'_'},[],['$1']}]",
    "[{{{a,3,'$1'},1},[{'>','$1',20}],['$1']},{{many,7},[],[x]},{{'$1','_'},[{'>','$1',many}],[y]}]",
    "[{{7,'_'},[],[a]},{{many,'_'},[],[b]},{{7.0,'_'},[],[c]},{{nothing,'_'},[],[d]}]",
    "[{{'$1','$1'},[],[same]}]",
    "[{'_',[{'>',{element,1,'$_'},{const,{a,6,100}}}],[z]}]",
];

#[test]
fn chunks_of_every_size_find_the_same() {
    for kind in KINDS {
        let table = filled(kind);
        for spec in SPECS {
            let (program, _) = program(spec);
            let plan: Plan = table.plan(&program);
            let expected = expected(&table, &program);
            for (matches, visits) in [(1, 1000), (7, 3), (1000, 17), (100_000, 100_000)] {
                for direction in [Direction::Ascending, Direction::Descending] {
                    let quota = Quota { matches, visits, ..Quota::default() };
                    let found = found(&table, &program, &plan.access, direction, quota);
                    let found = count(found.into_iter());
                    assert!(found == expected, "{kind:?} {spec} {quota:?}");
                }
            }
        }
    }
}

#[test]
fn ordered_tables_keep_their_order() {
    let table = filled(Kind::OrderedSet);
    for spec in SPECS {
        let (program, _) = program(spec);
        let access = table.plan(&program).access;
        let quota = Quota { matches: 5, visits: 50, ..Quota::default() };
        let mut down = found(&table, &program, &access, Direction::Descending, quota);
        let up = found(&table, &program, &access, Direction::Ascending, quota);
        let whole = found(&table, &program, &Access::Scan, Direction::Ascending, quota);
        down.reverse();
        assert!(up == down && up == whole, "{spec}");
    }
}

#[test]
fn ranges_look_at_little() {
    let table = table(Kind::OrderedSet);
    (0..5000).for_each(|i| insert(&table, &format!("{{{i},x}}")));
    let (program, _) = program("[{{'$1','_'},[{'>','$1',1000},{'=<','$1',1010}],['$1']}]");
    let plan = table.plan(&program);
    let mut quota = Quota { matches: 100, visits: 100, ..Quota::default() };
    let (mut machine, mut results) = (Machine::default(), Vec::new());
    let (guard, start) = (pin(), Cursor::Start);
    let ended = table.select(
        &guard,
        &program,
        &plan.access,
        start,
        Direction::Ascending,
        &mut quota,
        &mut machine,
        |_, _, outcome| {
            match outcome {
                Outcome::Part(Part::Word(word)) => results.push(word >> 4),
                other => panic!("{other:?}"),
            }
            true
        },
    );
    assert!(ended.unwrap().is_none());
    assert_eq!(results, (1001..=1010).collect::<Vec<u64>>());
    assert_eq!((quota.matches, quota.visits), (90, 90));
}

#[test]
fn deletes_what_is_true() {
    for kind in KINDS {
        for spec in SPECS {
            let table = filled(kind);
            let spec = spec.replace("'$_']}", "true]}");
            let (program, _) = program(&spec);
            let access = table.plan(&program).access;
            let before = table.size(&pin());
            let (mut cursor, mut deleted, mut counted) = (Some(Cursor::Start), 0, 0);
            let mut machine = Machine::default();
            while let Some(from) = cursor {
                let mut quota = Quota { matches: 1000, visits: 40, ..Quota::default() };
                let guard = pin();
                let next =
                    table.select_count(&guard, &program, &access, from, &mut quota, &mut machine);
                counted += 1000 - quota.matches as u64;
                cursor = next.unwrap();
            }
            cursor = Some(Cursor::Start);
            while let Some(from) = cursor {
                let mut quota = Quota { matches: 1000, visits: 40, ..Quota::default() };
                let (guard, gone) = (pin(), &mut deleted);
                let next = table.select_delete(
                    &guard,
                    &program,
                    &access,
                    from,
                    &mut quota,
                    &mut machine,
                    gone,
                );
                cursor = next.unwrap();
            }
            assert_eq!(deleted, counted, "{kind:?} {spec}");
            assert_eq!(table.size(&pin()), before - deleted, "{kind:?} {spec}");
        }
    }
}

/// Replaces in small chunks; gives the number.
fn replace_all(table: &Table, program: &Program) -> u64 {
    let access = table.plan(program).access;
    let (mut cursor, mut replaced) = (Some(Cursor::Start), 0);
    let mut machine = Machine::default();
    while let Some(from) = cursor {
        let mut quota = Quota { matches: 9, visits: 20, ..Quota::default() };
        let (guard, count) = (pin(), &mut replaced);
        let next =
            table.select_replace(&guard, program, &access, from, &mut quota, &mut machine, count);
        cursor = next.unwrap();
    }
    replaced
}

#[test]
fn replaces_under_the_same_key() {
    for (kind, integers) in [
        (Form::of(Kind::Set), 150),
        (Form::of(Kind::OrderedSet), 145),
        (Form::LIST, 145),
        (Form::of(Kind::DuplicateBag), 450),
    ] {
        let table = filled(kind);
        let before = table.size(&pin());
        let (program, _) =
            program("[{{'$1','$2'},[{is_integer,'$1'}],[{{'$1','$_',[{const,{y}},'$2'|z]}}]}]");
        assert_eq!(replace_all(&table, &program), integers, "{kind:?}");
        assert_eq!(table.size(&pin()), before);
        let guard = pin();
        let key = erl::key("70");
        for object in table.find(&guard, table.key(term(&key))).objects() {
            // SAFETY: the guard keeps the object.
            let elements = object.elements();
            assert_eq!(elements.len(), 3);
            assert!(matches!(elements.get(1).view(), View::Tuple(old) if old.len() == 2));
        }
    }
}

#[test]
fn objects_of_a_key_are_replaced_once_and_keep_their_places() {
    let table = filled(Kind::DuplicateBag);
    let (program, _) = program("[{{many,'$1'},[],[{{many,{'+','$1',1000}}}]}]");
    assert_eq!(replace_all(&table, &program), 300);
    let guard = pin();
    let values = table.find(&guard, table.key(term(&erl::key("many")))).objects().map(|object| {
        // SAFETY: the guard keeps the object.
        match object.elements().get(1).view() {
            View::Small(value) => value,
            other => panic!("{other:?}"),
        }
    });
    assert!(values.eq(1000..1300));
}

#[test]
fn what_changes_keys_is_refused() {
    let table = filled(Kind::Set);
    let (program, _) = program("[{{'$1','$2'},[],[{{'$2','$1'}}]}]");
    let (guard, mut machine) = (pin(), Machine::default());
    let mut quota = Quota { matches: 9, visits: 20, ..Quota::default() };
    let refused = table.select_replace(
        &guard,
        &program,
        &Access::Scan,
        Cursor::Start,
        &mut quota,
        &mut machine,
        &mut 0,
    );
    assert!(refused.is_err());
}
