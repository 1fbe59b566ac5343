//! Signals by name, as images (`STOPSIGNAL`) and task definitions spell them.

/// `SIGTERM`, `TERM` or `15`; `None` for what is no signal.
pub(super) fn number(text: &str) -> Option<i32> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = name.strip_prefix("RTMIN+") {
        // 34 is the first that glibc leaves to programs.
        return offset.parse::<i32>().ok().map(|n| n + 34).filter(|n| *n <= 64);
    }
    format!("SIG{name}").parse::<nix::sys::signal::Signal>().ok().map(|s| s as i32)
}

#[cfg(test)]
mod tests {
    #[test]
    fn three_spellings() {
        for text in ["SIGQUIT", "quit", "3"] {
            assert_eq!(super::number(text), Some(3));
        }
        assert_eq!(super::number("SIGRTMIN+3"), Some(37));
        for text in ["", "0", "SIGNOTHING", "99"] {
            assert_eq!(super::number(text), None);
        }
    }
}
