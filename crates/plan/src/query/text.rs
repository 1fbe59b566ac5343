//! The text of an expression, read from the left.

pub(super) struct Text<'t> {
    all: &'t str,
    at: usize,
}

impl<'t> Text<'t> {
    pub fn new(all: &'t str) -> Self {
        Self { all, at: 0 }
    }

    /// The number of the next character, from 1, as people count.
    pub fn position(&self) -> usize {
        self.all[..self.at].chars().count() + 1
    }

    pub fn rest(&self) -> &'t str {
        &self.all[self.at..]
    }

    pub fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes `sign` if it comes next.
    pub fn take(&mut self, sign: &str) -> bool {
        self.skip_space();
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len();
        }
        there
    }

    /// Takes `word` if it comes next and ends there.
    pub fn take_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let after = self.rest().strip_prefix(word);
        let whole = after
            .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || ":_-.".contains(c)));
        if whole {
            self.at += word.len();
        }
        whole
    }

    /// Takes the characters for as long as they are of a word.
    pub fn take_while(&mut self, of_word: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !of_word(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Up to, and without, the first place where `ends` holds of what is left.
    pub fn take_until(&mut self, ends: impl Fn(&str) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.char_indices().map(|(at, _)| at).find(|at| ends(&rest[*at..])).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}
