use proptest::prelude::*;

use super::Pattern;

mod columns;
mod json;
mod terms;

fn parse(pattern: &str) -> Pattern {
    Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn matches(pattern: &str, message: &str) -> bool {
    parse(pattern).matches(message)
}

fn all_match(message: &str, patterns: &[&str]) {
    patterns.iter().for_each(|pattern| assert!(matches(pattern, message), "{pattern} on {message}"));
}

fn none_match(message: &str, patterns: &[&str]) {
    patterns.iter().for_each(|pattern| assert!(!matches(pattern, message), "{pattern} on {message}"));
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let patterns = [
        "a - b",
        "\"\"",
        "\"open",
        "user@example",
        "?Status: timeout",
        "(a)",
        "%open",
        "%a(b)%",
        "%wow!%",
        "%é%",
        "%[a%",
        "%%",
        r"%\bword%",
        r"%\x8%",
        "%a{x}%",
        "%a{999}{999}{999}%",
        "{ $.a = 1",
        "{}",
        "{ $ = 1 }",
        "{ $.a }",
        "{ $.a == 1 }",
        "{ $.a EXISTS }",
        "{ $.a IS NOT NULL }",
        "{ $.a IS 1 }",
        "{ !($.a = 1) }",
        "{ $.a > 0 AND $.a < 2 }",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a > \"x\" }",
        "{ $.a <= 4* }",
        "{ $.a < %4% }",
        "{ $.a = user@host }",
        "{ $.\"a-b\" = 1 }",
        "{ $..a = 1 }",
        "{ $.a[-1] = 1 }",
        "{ $.a[0:2] = 1 }",
        "{ $.['a = 1 }",
        "{ $.a[*].* = 1 }",
        "{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.* = 1 }",
        "{ $.a = %a% || $.a = %b% || $.a = %c% }",
        "[a, b",
        "[a b]",
        "[a, ..., b, ...]",
        "[word, word]",
        "[a = 1 || b = 2]",
        "[a || a = 2]",
        "[\"x\"]",
        "[a > x]",
        "[a = (1)]",
    ];
    let errors = patterns.map(|pattern| match Pattern::parse(pattern) {
        Ok(parsed) => panic!("{pattern} was understood: {parsed:?}"),
        Err(error) => {
            let error = error.to_string();
            let said = error.strip_prefix("Invalid filter pattern: ");
            format!("{pattern:<20} {}", said.unwrap_or_else(|| panic!("{error}")))
        }
    });
    insta::assert_snapshot!(errors.join("\n"), @r#"
    a - b                Invalid character(s) in term '-'
    ""                   Invalid character(s) in term '""'
    "open                a quotation mark is not closed
    user@example         Invalid character(s) in term '@'
    ?Status: timeout     Invalid character(s) in term ':'
    (a)                  Invalid character(s) in term '('
    %open                a regular expression is not closed by %
    %a(b)%               Invalid character(s) in term '('
    %wow!%               Invalid character(s) in term '!'
    %é%                  Invalid character(s) in term 'é'
    %[a%                 the regular expression '[a' is not valid
    %%                   the regular expression '' is not valid
    %\bword%             the regular expression '\bword' is not valid
    %\x8%                the regular expression '\x8' is not valid
    %a{x}%               the regular expression 'a{x}' is not valid
    %a{999}{999}{999}%   the regular expression 'a{999}{999}{999}' is not valid
    { $.a = 1            If a filter pattern starts with '{' it must end with '}'
    {}                   expected a selector ($.field) at ''
    { $ = 1 }            expected a field of $ at ' = 1 '
    { $.a }              expected an operator at ''
    { $.a == 1 }         Invalid character(s) in term '='
    { $.a EXISTS }       expected an operator at 'EXISTS '
    { $.a IS NOT NULL }  expected NULL, TRUE or FALSE at 'NOT NULL '
    { $.a IS 1 }         expected NULL, TRUE or FALSE at '1 '
    { !($.a = 1) }       expected a selector ($.field) at '!($.a = 1) '
    { $.a > 0 AND $.a < 2 } expected &&, || or the end at 'AND $.a < 2 '
    { $.a = 1 && }       expected a selector ($.field) at ''
    { ($.a = 1 }         expected a closing parenthesis at ''
    { $.a > "x" }        a number must follow >, not 'x'
    { $.a <= 4* }        a number must follow <=, not '4*'
    { $.a < %4% }        a number must follow <, not '%'
    { $.a = user@host }  Invalid character(s) in term '@'
    { $."a-b" = 1 }      Invalid character(s) in term '$."'
    { $..a = 1 }         Invalid character(s) in term '$..'
    { $.a[-1] = 1 }      expected an element's number at '-1] = 1 '
    { $.a[0:2] = 1 }     expected ] at ':2] = 1 '
    { $.['a = 1 }        a quotation mark is not closed
    { $.a[*].* = 1 }     it has too many wildcards in its selectors
    { $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.* = 1 } it has too many wildcards in its selectors
    { $.a = %a% || $.a = %b% || $.a = %c% } it has more than 2 regular expressions
    [a, b                If a filter pattern starts with '[' it must end with ']'
    [a b]                expected a comma at 'b'
    [a, ..., b, ...]     it can have one ellipsis only
    [word, word]         the field name 'word' stands twice
    [a = 1 || b = 2]     a condition between commas must name one field only, not 'b' too
    [a || a = 2]         expected an operator at ''
    ["x"]                expected a field's name at '"x"'
    [a > x]              a number must follow >, not 'x'
    [a = (1)]            expected a value at '(1)'
    "#);
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
    assert_eq!(Pattern::parse(&deep).unwrap_err(), super::BadPattern::TooDeep);
}

/// Texts that are often nearly patterns.
fn near_pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "{", "}", "[", "]", "(", ")", "$", ".", "a", "*", "=", "!=", "<", ">=", "1", "-1e3", "\"", "%",
            "...", ",", "&&", "||", " ", "IS", "NULL", "NOT", "EXISTS", "?", "-", "\\", "'",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(
        pattern in near_pattern(), open in "[{\\[]?", close in "[}\\]]?", message in "\\PC{0,40}",
    ) {
        if let Ok(pattern) = Pattern::parse(&format!("{open}{pattern}{close}")) {
            let matched = pattern.matches(&message);
            prop_assert_eq!(pattern.extract(&message).is_some(), matched);
        }
    }
}
