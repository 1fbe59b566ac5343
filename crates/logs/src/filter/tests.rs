use proptest::prelude::*;

use super::{BadPattern, Pattern};

fn matches(pattern: &str, message: &str) -> bool {
    Pattern::parse(pattern).unwrap().matches(message)
}

#[test]
fn terms_phrases_and_exclusions() {
    let message = "[ERROR 419] MISSING ARGUMENTS";
    for pattern in [
        "",
        "  ",
        "ERROR",
        "ERROR ARGUMENTS",
        "ARGUMENTS ERROR",
        "\"ERROR 419\"",
        "?ERROR ?WARN",
        "-WARN",
        "ERROR -WARN",
        "?WARN ERROR",
        "%AR.*S$%",
        "%4[0-9]{2}%",
        "?WARN -INFO",
        "-\"ERROR 4190\"",
    ] {
        assert!(matches(pattern, message), "{pattern}");
    }
    for pattern in [
        "error",
        "ERROR WARN",
        "\"ERROR  419\"",
        "?WARN ?INFO",
        "-ERROR",
        "ERROR -MISSING",
        "%^ERROR%",
        "-\"ERROR 419\"",
        "ERROR -%ARG%",
    ] {
        assert!(!matches(pattern, message), "{pattern}");
    }
    assert!(matches(r#""say \"hi\" \\o/ \n""#, r#"say "hi" \o/ \n"#));
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let error = |pattern: &str| Pattern::parse(pattern).unwrap_err();
    assert_eq!(error("{ $.level = \"x\" }"), BadPattern::Structured);
    assert_eq!(error("[ip, user]"), BadPattern::Structured);
    assert_eq!(error("\"open"), BadPattern::OpenQuote);
    assert_eq!(error("%open"), BadPattern::OpenRegex);
    assert_eq!(error("%a(b)%"), BadPattern::RegexCharacter { character: '(' });
    assert_eq!(error("%[a%"), BadPattern::Regex { text: "[a".into() });
    assert_eq!(error("a - b"), BadPattern::EmptyTerm);
    assert_eq!(error("\"\""), BadPattern::EmptyTerm);
    assert_eq!(error("%a{999}{999}{999}%"), BadPattern::Regex { text: "a{999}{999}{999}".into() });
}

fn word() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[abc]{1,2}").unwrap()
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(pattern in any::<String>(), message in any::<String>()) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            pattern.matches(&message);
        }
    }

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
