//! What recorded cases cannot show: functions of newer releases, limits, callers, counters.

use super::*;
use crate::term::layout::immediate;
use crate::term::object::{Mutable, ObjectPtr};

/// The value of an expression over `{a, 2, [x, y]}`.
fn value(expression: &str, expected: &str) {
    check(&format!("[{{{{'$1','$2','$3'}},[],[{expression}]}}]"), "{a,2,[x,y]}", expected);
}

#[test]
fn functions_of_newer_releases() {
    for (expression, expected) in [
        ("{is_boolean,true}", "true"),
        ("{is_boolean,'$1'}", "false"),
        ("{is_bitstring,<<1:1>>}", "true"),
        ("{is_bitstring,[]}", "false"),
        ("{tuple_size,'$_'}", "3"),
        ("{tuple_size,<<1>>}", "'EXIT'"),
        ("{ceil,2.1}", "3"),
        ("{ceil,-2.1}", "-2"),
        ("{floor,-2.1}", "-3"),
        ("{floor,{const,7}}", "7"),
        ("{max,1,1.0}", "1"),
        ("{max,1,'$1'}", "a"),
        ("{min,1.0,1}", "1.0"),
        ("{min,'$3','$1'}", "a"),
        ("{is_record,'$_',a,3}", "true"),
        ("{is_record,'$_',b,3}", "false"),
        ("{is_record,'$_',1,3}", "'EXIT'"),
        ("{is_record,'$_',a,a}", "'EXIT'"),
        ("{is_function,'$1',2}", "false"),
        ("{is_function,'$1',-1}", "'EXIT'"),
        ("{is_integer,'$2',1,2}", "true"),
        ("{is_integer,'$2',3,9}", "false"),
        ("{is_integer,'$2',1.0,9}", "'EXIT'"),
    ] {
        value(expression, expected);
    }
}

/// What is no tuple is its own `'$_'`, in every place where that may be.
#[test]
fn any_term_is_its_object() {
    for object in ["a", "7", "[]", "[x|y]", "#{a => 1}", "<<1,2>>", "{}", "{a}"] {
        for (clause, expected) in [
            ("{'_',[],['$_']}", object.to_string()),
            ("{'$1',[],['$_']}", object.to_string()),
            ("{'$1',[{'=:=','$1','$_'}],['$_']}", object.to_string()),
            ("{'_',[{'not',{'==','$_',b}}],[['$_','$_']]}", format!("[{object},{object}]")),
            ("{'_',[],[{{'$_'}}]}", format!("{{{object}}}")),
            ("{'_',[],[{'andalso',true,'$_'}]}", object.to_string()),
        ] {
            check(&format!("[{clause}]"), object, &expected);
        }
    }
}

/// Rows of comparisons are looked up in a set, which knows what is equal.
#[test]
fn rows_of_comparisons() {
    let row = |form: &str, relation: &str, constants: &[&str]| {
        let comparisons: Vec<String> =
            constants.iter().map(|it| format!("{{'{relation}','$1',{it}}}")).collect();
        format!("[{{{{'$1'}},[{{'{form}',{}}}],[true]}}]", comparisons.join(","))
    };
    let constants = ["1", "{const,{x}}", "2.0", "b", "<<1>>", "{const,[1]}", "1152921504606846976"];
    for (form, relation, negated) in [
        ("orelse", "=:=", false),
        ("or", "==", false),
        ("andalso", "=/=", true),
        ("and", "/=", true),
    ] {
        let by_value = relation == "==" || relation == "/=";
        for (value, exact, equal) in [
            ("1", true, true),
            ("1.0", false, true),
            ("2", false, true),
            ("2.0", true, true),
            ("{x}", true, true),
            ("{y}", false, false),
            ("b", true, true),
            ("c", false, false),
            ("[1]", true, true),
            ("[1.0]", false, true),
            ("<<1>>", true, true),
            ("<<>>", false, false),
            ("1152921504606846976.0", false, true),
            ("1152921504606846976", true, true),
        ] {
            let found = if by_value { equal } else { exact };
            let expected = if found != negated { "true" } else { "false" };
            check(&row(form, relation, &constants), &format!("{{{value}}}"), expected);
        }
    }
}

/// Of clauses that want different constants of one element the first that matches counts.
#[test]
fn clauses_by_constant() {
    let spec = "[{{1,'$1'},[],['$1']},{{2,'_'},[],[two]},{{'$1',a},[{'=:=','$1',3}],[three]},
        {{1,'_'},[],[other]},{{b,'_','_'},[],[b]}]";
    for (object, expected) in [
        ("{1,x}", "x"),
        ("{2,x}", "two"),
        ("{3,a}", "three"),
        ("{3,b}", "false"),
        ("{1.0,x}", "false"),
        ("{b,x}", "false"),
        ("{b,x,y}", "b"),
        ("{}", "false"),
    ] {
        check(spec, object, expected);
    }
}

#[test]
fn numbers_have_limits() {
    for (expression, expected) in [
        ("{'=:=',{'bsr',{'bsl',1,4194302},4194302},1}", "true"),
        ("{'bsl',1,4194303}", "'EXIT'"),
        ("{'bsl',1,100000000000000000000}", "'EXIT'"),
        ("{'bsl',0,100000000000000000000}", "0"),
        ("{'bsr',-5,100000000000000000000}", "-1"),
        ("{'bsl',5,-100000000000000000000}", "0"),
        ("{'*',{'bsl',1,4194302},2}", "'EXIT'"),
        ("{'*',1.0e308,10}", "'EXIT'"),
        ("{float,{'bsl',1,1024}}", "'EXIT'"),
        ("{trunc,1.0e22}", "10000000000000000000000"),
        ("{round,-2.5}", "-3"),
        ("{'div',-7,2}", "-3"),
        ("{'rem',-7,2}", "-1"),
        ("{'/',1,0.0}", "'EXIT'"),
        ("{'-',-576460752303423488}", "576460752303423488"),
        ("{abs,-9223372036854775808}", "9223372036854775808"),
        ("{'div',-9223372036854775808,-1}", "9223372036854775808"),
    ] {
        value(expression, expected);
    }
}

#[test]
fn lists_and_maps_in_bodies() {
    for (expression, expected) in [
        ("[1|'$3']", "[1,x,y]"),
        ("[1|{tl,'$3'}]", "[1,y]"),
        ("{tl,'$3'}", "[y]"),
        ("[1|'$1']", "[1|a]"),
        ("['$$'|'$$']", "[[a,2,[x,y]],a,2,[x,y]]"),
        ("#{'$1' => '$2', z => {{'$_'}}}", "#{a => 2, z => {{a,2,[x,y]}}}"),
        ("{map_size,#{{'+',1,1} => x, 2 => y}}", "1"),
        ("{map_get,b,#{b => '$1', '$1' => c}}", "a"),
        ("{{}}", "{}"),
        ("{const,{'$1'}}", "{'$1'}"),
        ("['$_']", "[{a,2,[x,y]}]"),
        ("{{'$1','$_',{hd,'$3'}}}", "{a,{a,2,[x,y]},x}"),
        ("{'and',true,1}", "'EXIT'"),
        ("{'or',true,1}", "'EXIT'"),
        ("{'orelse',true,1}", "true"),
        ("{'orelse',false,7}", "7"),
        ("{'andalso',1,true}", "'EXIT'"),
    ] {
        value(expression, expected);
    }
}

#[test]
fn a_map_pattern_needs_its_keys() {
    check("[{{#{a => '_'}},[],[yes]}]", "{#{b => 1}}", "false");
    check("[{{#{a => '_'}},[],[yes]}]", "{#{a => 1,b => 1}}", "yes");
    check("[{{#{}},[],[yes]}]", "{#{b => 1}}", "yes");
    check("[{{#{1 => '$1'}},[],['$1']}]", "{#{1 => x,1.0 => y}}", "x");
    let large = (0..40).map(|i| format!("{i} => {i}")).collect::<Vec<_>>().join(",");
    check("[{{#{33 => '$1'}},[],['$1']}]", &format!("{{#{{{large}}}}}"), "33");
}

#[test]
fn any_number_of_variables() {
    let spec = "[{{'$100000000','$7','$2147483647','$4294967296'},[],['$$']}]";
    check(spec, "{a,b,c,'$4294967296'}", "[b,a,c]");
    check("[{{'$01'},[],[yes]}]", "{'$01'}", "yes");
    check("[{{'$1','$1'},[],[yes]}]", "{1,1.0}", "false");
}

#[test]
fn callers_are_asked_for_themselves() {
    testing::install();
    let words = erl::key("[{'_',[],[{{{self},{node},{node,{self}}}}]}]");
    let program = Program::compile(term(&words)).unwrap();
    let caller = Caller { pid: 5 << 4 | 3, node: term(&erl::key("here")).root() };
    let object = erl::key("{x}");
    let subject = Subject::term(term(&object));
    let mut machine = Machine::new(caller);
    let result = encoded(subject, program.run(subject, &mut machine).unwrap().unwrap());
    let crate::term::view::View::Tuple(parts) = term(&result).view() else { panic!("no tuple") };
    let roots: Vec<u64> = parts.map(|part| part.root()).collect();
    assert_eq!(roots, [caller.pid, caller.node, caller.node]);
}

/// An element that is changed while the program runs has one value for it, wherever the key is.
#[test]
fn an_object_is_seen_in_one_state() {
    testing::install();
    let small = |n| immediate::small(n).unwrap();
    let cases = [
        ("[{{'_','$1'},[{'<','$1',5}],['$_']}]", 0),
        ("[{{'_','$1'},[],[{{{element,2,'$_'},'$_','$$'}}]}]", 0),
        ("[{{'$1','_','_'},[{'=:=',{element,1,'$_'},4}],['$_']}]", 1),
        ("[{{'$1','$2','$3'},[{'=:=',{'+','$1','$2'},11}],[['$_'|'$$']]}]", 2),
        ("[{{4,'_','$1'},[{'=/=','$_',9}],['$1']},{'_',[],[no]}]", 1),
    ];
    for (spec, key) in cases {
        let words = erl::key(spec);
        let program = Program::compile(term(&words)).unwrap();
        let arity = if key == 0 { 2 } else { 3 };
        let at = usize::from(key == 0);
        let mut elements = [small(7); 3];
        elements[at] = small(4);
        // SAFETY: immediates are an encoding of so many elements.
        let object = unsafe { ObjectPtr::new(0, arity, &elements[..arity]) }.unwrap();
        let mut machine = Machine::default();
        // SAFETY: the object lives until it is freed below.
        let subject = Subject::object(unsafe { object.elements() }, key);
        let before = encoded(subject, program.run(subject, &mut machine).unwrap().unwrap());
        // SAFETY: it lives, and nobody else writes.
        assert!(unsafe { object.set_in_place(key, at, small(9)) });
        let after = encoded(subject, program.run(subject, &mut machine).unwrap().unwrap());
        assert_eq!(before.words(), after.words(), "{spec}");
        assert_eq!(subject.mutable(), Some(Mutable { at, word: small(4) }));
        // SAFETY: nobody uses it any more.
        unsafe { object.free() };
    }
}

#[test]
fn the_first_clause_that_matches_decides() {
    let spec = "[{{a,'$1'},[{'>','$1',5}],[big]},{{a,'_'},[],[small]},{'_',[],[other]}]";
    check(spec, "{a,9}", "big");
    check(spec, "{a,1}", "small");
    check(spec, "{b}", "other");
}

#[test]
fn true_counts() {
    testing::install();
    let object = erl::key("{1,2}");
    let mut machine = Machine::default();
    for (body, expected) in [("true", true), ("1", false), ("{'<',1,'$1'}", false)] {
        let words = erl::key(&format!("[{{{{'$1','_'}},[],[{body}]}}]"));
        let program = Program::compile(term(&words)).unwrap();
        let subject = Subject::term(term(&object));
        assert_eq!(program.run_bool(subject, &mut machine).unwrap(), expected);
    }
}

#[test]
fn variables_are_told_in_the_order_of_their_numbers() {
    for n in [1, 7, 8, 9, 30] {
        // Bound from the last to the first, in a tuple inside the object and deeper.
        let numbers = |from: usize, to: usize| {
            (from..to).rev().map(|i| format!("'${i}'")).collect::<Vec<_>>().join(",")
        };
        let values = |from: usize, to: usize| {
            (from..to).rev().map(|i| i.to_string()).collect::<Vec<_>>().join(",")
        };
        let spec = format!("[{{{{{{{}}},[{}]}},[],['$$']}}]", numbers(n, 2 * n), numbers(0, n));
        let object = format!("{{{{{}}},[{}]}}", values(n, 2 * n), values(0, n));
        let all = (0..2 * n).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
        check(&spec, &object, &format!("[{all}]"));
    }
}

#[test]
fn elements_of_a_tuple_in_the_object() {
    let spec = "[{{{a,'$1'},'$2'},[{'>','$1',5}],['$1']}]";
    for (object, expected) in [
        ("{{a,6},x}", "6"),
        ("{{a,5},x}", "false"),
        ("{{a,5.5},x}", "5.5"),
        ("{{a,b},x}", "b"),
        ("{{b,6},x}", "false"),
        ("{{a,6,7},x}", "false"),
        ("{{a},x}", "false"),
        ("{{},x}", "false"),
        ("{a,x}", "false"),
        ("{[a,6],x}", "false"),
        ("{{a,6}}", "false"),
    ] {
        check(spec, object, expected);
    }
    check("[{{{a,'$1'},'$1'},[],['$1']}]", "{{a,[x]},[x]}", "[x]");
    check("[{{{a,'$1'},'$1'},[],['$1']}]", "{{a,[x]},[y]}", "false");
    check("[{{'$1',{b,'$1'},c},[],['$_']}]", "{1,{b,1},c}", "{1,{b,1},c}");
    check("[{{'$1',{b,'$2'},c},[],['$2']}]", "{1,{b,1},d}", "false");
    check("[{{{{a},'$1'},{b,'$2'}},[],[{{'$1','$2'}}]}]", "{{{a},1},{b,2}}", "{1,2}");
    check("[{{{{'_','$3'},'$1'},{b,'$2'}},[],['$$']}]", "{{{a,c},1},{b,2}}", "[1,2,c]");
}
