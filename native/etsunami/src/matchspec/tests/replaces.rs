//! Which specifications keep keys: the lists of OTP's suite.

use super::*;

fn keeps(spec: &str) -> bool {
    testing::install();
    Program::compile(term(&erl::key(spec))).unwrap().keeps_key(1)
}

const TERMS: [&str; 7] =
    ["a", "\"hej\"", "123", "1.23", "1308012711361936742474176987000832", "<<\"123\">>", "<<1:1>>"];

fn pairs(list: &[(&str, &str)], expected: bool) {
    let text = |form: &str, x: &str, y: &str| form.replace('X', x).replace('Y', y);
    for x in TERMS.map(|term| term.replace("<<\"123\">>", "<<49,50,51>>")) {
        for y in TERMS.map(|term| term.replace("<<\"123\">>", "<<49,50,51>>")) {
            for (head, body) in list {
                let (head, body) = (text(head, &x, &y), text(body, &x, &y));
                let spec = format!("[{{{{{head},'$2','$3'}},[],[{{{{{body},'$3','$2'}}}}]}}]");
                let words = erl::key(&spec);
                testing::install();
                let kept = Program::compile(term(&words)).is_ok_and(|program| program.keeps_key(1));
                assert_eq!(kept, expected, "{spec}");
            }
        }
    }
}

#[test]
fn accepts_what_keeps_the_key() {
    let list = [
        ("'$1'", "'$1'"),
        ("{X,Y}", "{{X,Y}}"),
        ("{'$1',Y}", "{{'$1',Y}}"),
        ("{{X,Y}}", "{{{{X,Y}}}}"),
        ("{X}", "{{X}}"),
        ("X", "{const,X}"),
        ("{X,Y}", "{const,{X,Y}}"),
        ("{X}", "{const,{X}}"),
        ("{X,Y}", "{{X,{const,Y}}}"),
        ("{X,{Y,'$1'}}", "{{{const,X},{{Y,'$1'}}}}"),
        ("[X,Y|'$1']", "[X,Y|'$1']"),
        ("[{X,'$1'},Y]", "[{{X,'$1'}},Y]"),
        ("[{X,Y}|'$1']", "[{const,{X,Y}}|'$1']"),
        ("[112,114|'$1']", "[112,114|'$1']"),
        ("{[{X,Y}]}", "{{[{{X,Y}}]}}"),
        ("{[{X,Y}]}", "{{{const,[{X,Y}]}}}"),
        ("{[{X,Y}]}", "{{[{const,{X,Y}}]}}"),
        ("[X,Y]", "[X|{const,[Y]}]"),
    ];
    pairs(&list, true);
}

#[test]
fn refuses_what_may_change_the_key() {
    let list = [
        ("'$1'", "'$2'"),
        ("{X,Y}", "{X,Y}"),
        ("{{X,Y}}", "{{{X,Y}}}"),
        ("{X}", "{{{X}}}"),
        ("{const,X}", "{const,X}"),
        ("{const,{X,Y}}", "{const,{X,Y}}"),
        ("'$1'", "{const,'$1'}"),
        ("{X}", "{const,{{X}}}"),
        ("{X,{Y,'$1'}}", "{{{const,X},{Y,'$1'}}}"),
        ("[X,Y|'$1']", "[X,Y]"),
        ("[X,Y]", "[X,Y|'$1']"),
        ("[{X,'$1'},Y]", "[{X,'$1'},Y]"),
        ("[112,105|'$1']", "[112,73|'$1']"),
        ("{[{X,Y}]}", "{{[{X,Y}]}}"),
        ("{[{X,Y}]}", "{{{const,[{{X,Y}}]}}}"),
        ("{[{X,Y}]}", "{{[{const,{{X,Y}}}]}}"),
        ("'_'", "'_'"),
        ("'$_'", "'$_'"),
        ("'$$'", "'$$'"),
        ("#{}", "#{}"),
        ("#{X => '$1'}", "#{X => '$1'}"),
    ];
    pairs(&list, false);
}

#[test]
fn judges_whole_bodies() {
    let accepted = [
        "[{{'$1','$2'},[],['$_']}]",
        "[{'_',[],['$_']}]",
        "[{{{'$1','$3'},'$2'},[],[{{{element,1,'$_'},'$2'}}]}]",
        "[{{k,1,2},[],[{const,{k}}]}]",
        "[{{{'$1','$3'},'$2'},[],[{{{{'$1','$3'}},'$1',stuff}}]}]",
    ];
    let refused = [
        "[{{{'$1','$3'},'$2'},[],[{{{element,2,'$_'},'$2'}}]}]",
        "[{{{'$1','$3'},'$2'},[],[{{{{{'+','$1',0},'$3'}},'$2'}}]}]",
        "[{{'$1','$2'},[],['$_','$_']}]",
        "[{'$1',[],['$1']}]",
        "[{{k,1},[],[{const,{j,1}}]}]",
        "[{{'$1',1},[],[{const,{'$1',1}}]}]",
        "[{{#{a => 1},1},[],[{const,{#{a => 1},1}}]}]",
        "[{{k,1},[],[true]}]",
        "[{{k,1},[],['$_']},{{k,1},[],[{{}}]}]",
    ];
    for spec in accepted {
        assert!(keeps(spec), "{spec}");
    }
    for spec in refused {
        assert!(!keeps(spec), "{spec}");
    }
}
