use proptest::prelude::*;

use super::{all_match, matches, none_match};

#[test]
fn terms_phrases_and_exclusions() {
    let message = "[ERROR 419] MISSING ARGUMENTS";
    let those = [
        "",
        "  ",
        "\" \"",
        "ERROR",
        "ERROR ARGUMENTS",
        "ARGUMENTS ERROR",
        "\"ERROR 419\"",
        "\"[ERROR\"",
        "?ERROR ?WARN",
        "-WARN",
        "ERROR -WARN",
        "?WARN ERROR",
        "?WARN -INFO",
        "-\"ERROR 4190\"",
    ];
    all_match(message, &those);
    let others = [
        "error",
        "ERROR WARN",
        "\"ERROR  419\"",
        "?WARN ?INFO",
        "-ERROR",
        "ERROR -MISSING",
        "-\"ERROR 419\"",
        "ERROR -%ARG%",
    ];
    none_match(message, &others);
    assert!(matches(r#""say \"hi\" \\o/ \n""#, r#"say "hi" \o/ \n"#));
}

#[test]
fn regular_expressions() {
    all_match(
        "[ERROR 419] at 10.0.0.1: colour #7",
        &[
            "%4[0-9]{2}%",
            r"%\[ERROR \d+\]%",
            r"%10\.0\.0\.1\x3A%",
            "%colou?r%",
            "%grey|#7$%",
            "%ER{2}OR%",
            "%ER{,3}O%",
            "%ER{1,}O%",
            r"%\s\w{2}\s%",
            "%[^a-z]$%",
            "%[]x]%",
            "%[a\\-z]t%",
            "ERROR %col%",
        ],
    );
    none_match(
        "[ERROR 419] at 10.0.0.1: colour #7",
        &["%^ERROR%", "%4[0-9]{3}%", "%10.0.0.1$%", r"%\D{60}%", "%colr%", "%err%"],
    );
    // Classes are ASCII's; a character is a character, however many bytes it has.
    none_match("é٣", &[r"%\w%", r"%\d%"]);
    all_match("é٣", &["%^..$%", r"%^\W\D$%"]);
}

fn word() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[abc]{1,2}").unwrap()
}

proptest! {
    #[test]
    fn words_mean_all_question_marks_mean_any_minus_means_none(
        words in proptest::collection::vec(word(), 1..4), message in "[abc ]{0,8}",
    ) {
        let join = |mark: &str| {
            words.iter().map(|word| format!("{mark}{word}")).collect::<Vec<_>>().join(" ")
        };
        let occurs = |word: &String| message.contains(word.as_str());
        prop_assert_eq!(matches(&join(""), &message), words.iter().all(occurs));
        prop_assert_eq!(matches(&join("?"), &message), words.iter().any(occurs));
        prop_assert_eq!(matches(&join("-"), &message), !words.iter().any(occurs));
    }

    #[test]
    fn a_quoted_phrase_is_found_as_it_stands(phrase in "\\PC{1,12}", around in "[a-z]{0,5}") {
        let quoted = format!("\"{}\"", phrase.replace('\\', "\\\\").replace('"', "\\\""));
        let message = format!("{around}{phrase}{around}");
        prop_assert!(matches(&quoted, &message));
    }
}
