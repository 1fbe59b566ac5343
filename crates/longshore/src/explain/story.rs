//! A story and how it is told. Pure: equal stories give equal texts.

use serde::Serialize;
use wire::Timestamp;

use crate::talk::span;

/// Text is cut to this, so that a page stays a page.
const LONGEST: usize = 400;

/// What there is to tell of a task or a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Story {
    pub title: String,
    /// What it is: a word and its value.
    pub about: Vec<(&'static str, String)>,
    pub steps: Vec<Step>,
    /// Why it is as it is.
    pub why: Vec<String>,
    pub sections: Vec<Section>,
    /// What to do.
    pub next: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub at_ms: u64,
    pub what: String,
    pub details: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    pub title: String,
    pub lines: Vec<String>,
}

pub fn render(story: &Story) -> String {
    let mut lines = vec![story.title.clone()];
    let width = story.about.iter().map(|(word, _)| word.len()).max().unwrap_or_default();
    lines.extend(story.about.iter().map(|(word, value)| format!("  {word:width$}  {value}")));
    if !story.steps.is_empty() {
        lines.push(String::new());
        lines.extend(timeline(&story.steps));
    }
    block(&mut lines, "Why", &story.why);
    for section in &story.sections {
        block(&mut lines, &section.title, &section.lines);
    }
    block(&mut lines, "Next", &story.next);
    let cut: Vec<String> = lines.iter().map(|line| cut(line)).collect();
    cut.join("\n")
}

fn block(lines: &mut Vec<String>, title: &str, content: &[String]) {
    if !content.is_empty() {
        lines.push(String::new());
        lines.push(title.to_owned());
        lines.extend(content.iter().map(|line| format!("  {line}")));
    }
}

/// The day where it changes, the time, how long it took since the step before, and what it was.
fn timeline(steps: &[Step]) -> Vec<String> {
    let mut lines = vec![];
    let mut before: Option<&Step> = None;
    let mut day = String::new();
    for step in steps {
        let (date, time) = moment(step.at_ms);
        if date != day {
            lines.push(format!("{date} (UTC)"));
            day = date;
        }
        let passed = before
            .map_or_else(String::new, |before| format!("+{}", span(step.at_ms.saturating_sub(before.at_ms))));
        lines.push(format!("  {time}  {passed:>14}  {}", step.what));
        lines.extend(step.details.iter().map(|detail| format!("{:32}{detail}", "")));
        before = Some(step);
    }
    lines
}

/// `2026-11-28` and `21:15:27.042`.
pub fn moment(at_ms: u64) -> (String, String) {
    let text = Timestamp::from_ms(at_ms).to_iso8601().unwrap_or_default();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    (date.to_owned(), format!("{seconds}.{:0<3}", fraction.chars().take(3).collect::<String>()))
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}
