//! Steps as they go on: a spinner on a terminal, plain lines elsewhere. On stderr: what a command
//! prints for other programs stays alone on stdout.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

#[derive(Clone, Copy, Debug)]
pub struct Progress {
    terminal: bool,
}

/// A step that is under way.
#[derive(Debug)]
pub struct Step {
    what: String,
    bar: Option<ProgressBar>,
    over: bool,
}

impl Progress {
    pub fn new() -> Progress {
        Progress { terminal: std::io::stderr().is_terminal() }
    }

    pub fn step(self, what: impl Into<String>) -> Step {
        let what = what.into();
        let bar = self.terminal.then(|| {
            let bar = ProgressBar::new_spinner();
            let style =
                ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is a constant");
            bar.set_style(style.tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]));
            bar.set_message(what.clone());
            bar.enable_steady_tick(Duration::from_millis(80));
            bar
        });
        Step { what, bar, over: false }
    }
}

impl Step {
    /// What is being waited for; only a terminal shows it.
    pub fn note(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {text}", self.what));
        }
    }

    /// The step has succeeded.
    pub fn done(mut self, text: &str) {
        self.over = true;
        self.clear();
        eprintln!("✓ {text}");
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.over {
            self.clear();
            eprintln!("✗ {}", self.what);
        }
    }
}
