//! Random specifications and objects with what ETS of OTP 25 said of them: lines of an object, a
//! specification, and `{ok, Result}` or `{error, [Message]}`. `record.escript` makes more of them.

use super::*;
use crate::term::testing::Sample;

const CASES: &str = include_str!("cases.terms");

#[test]
fn agrees_with_what_ets_said() {
    testing::install();
    judge(CASES);
}

/// The same for a file that `MATCHSPEC_CASES` names.
#[test]
fn agrees_with_a_file() {
    if let Ok(path) = std::env::var("MATCHSPEC_CASES") {
        judge(&std::fs::read_to_string(path).unwrap());
    }
}

fn judge(cases: &str) {
    let lines: Vec<&str> = cases.lines().collect();
    for case in lines.chunks_exact(3) {
        let Sample::Tuple(verdict) = erl::parse(case[2]) else { panic!("a verdict") };
        match (&verdict[0], &verdict[1]) {
            (Sample::Atom(ok), _) if ok == "ok" => {
                let result = case[2].strip_prefix("{ok,").unwrap().strip_suffix("}.").unwrap();
                check(case[1], case[0], result);
                plans::covered(case[1], case[0]);
            }
            (_, messages) => refused(case[1], messages),
        }
    }
}

fn refused(spec: &str, messages: &Sample) {
    let words = erl::key(spec);
    assert!(Program::compile(term(&words)).is_err(), "{spec} compiles");
    let Sample::List(messages, _) = messages else { panic!("no messages") };
    let bytes = |message: &Sample| match message {
        Sample::Bits(bytes, _) => bytes.clone(),
        _ => panic!("a message"),
    };
    let messages: Vec<Vec<u8>> = messages.iter().map(bytes).collect();
    let faults = Program::lint(term(&words));
    assert_eq!(faults.len(), messages.len(), "{spec}: {faults:?} {messages:?}");
    for (fault, message) in faults.iter().zip(messages) {
        let told = fault.message(&[1]);
        let told = told.split(|&byte| byte == 1).next().unwrap();
        assert!(message.starts_with(told), "{spec}: {fault:?} is not {message:?}");
    }
}
