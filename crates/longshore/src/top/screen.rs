//! A terminal that is drawn over and over: the other screen, no cursor, keys without Enter. Everything is
//! put back when it is dropped.

use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::rows::{HEAD, Row, Sort};
use crate::talk::table;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Quit,
    Sort(Sort),
    /// Containers shown or not.
    Containers,
    Other,
}

#[derive(Debug)]
pub struct Screen {
    before: Termios,
    keys: mpsc::UnboundedReceiver<u8>,
    interrupt: Signal,
    terminate: Signal,
}

impl Screen {
    pub fn is_possible() -> bool {
        stdin().is_terminal() && stdout().is_terminal()
    }

    pub fn take() -> Result<Screen> {
        let before = termios::tcgetattr(stdin().as_fd()).context("ask the terminal")?;
        let mut raw = before.clone();
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        // A read ends after a fifth of a second without a key: its thread then sees that nobody listens.
        raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 0;
        raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 2;
        let interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        termios::tcsetattr(stdin().as_fd(), SetArg::TCSANOW, &raw).context("set the terminal")?;
        let (sender, keys) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut key = [0];
            while !sender.is_closed() {
                match stdin().read(&mut key) {
                    Ok(1) => drop(sender.send(key[0])),
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        let screen = Screen { before, keys, interrupt, terminate };
        write!(stdout(), "\x1b[?1049h\x1b[?25l").context("write to the terminal")?;
        Ok(screen)
    }

    pub async fn key(&mut self) -> Key {
        let key = tokio::select! {
            key = self.keys.recv() => key,
            _ = self.interrupt.recv() => return Key::Quit,
            _ = self.terminate.recv() => return Key::Quit,
        };
        key.map_or(Key::Quit, meaning)
    }

    pub fn draw(&self, heading: &str, rows: &[Row]) -> Result<()> {
        let (height, width) = console::Term::stdout().size();
        let table = if rows.is_empty() { String::new() } else { table(&HEAD, rows.iter().map(Row::cells)) };
        let text = frame(heading, &table, usize::from(width), usize::from(height));
        let mut out = stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("write to the terminal")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write!(stdout(), "\x1b[?25h\x1b[?1049l");
        let _ = stdout().flush();
        let _ = termios::tcsetattr(stdin().as_fd(), SetArg::TCSANOW, &self.before);
    }
}

fn meaning(key: u8) -> Key {
    match key {
        b'q' | 0x04 => Key::Quit,
        b'c' => Key::Sort(Sort::Cpu),
        b'm' => Key::Sort(Sort::Memory),
        b'a' => Key::Sort(Sort::Age),
        b'n' => Key::Sort(Sort::Name),
        b't' => Key::Containers,
        _ => Key::Other,
    }
}

const KEYS: &str = "c cpu  m memory  a age  n name  t containers  q quit";

/// From the upper left corner on, each line cleared behind its text and cut to the width: nothing flickers
/// and nothing wraps. The last line is the keys'.
fn frame(heading: &str, table: &str, width: usize, height: usize) -> String {
    let lines: Vec<&str> = [heading, ""].into_iter().chain(table.lines()).collect();
    let room = height.saturating_sub(1).max(1);
    let mut text = "\x1b[H".to_owned();
    for n in 0..room {
        let hidden = lines.len().saturating_sub(n);
        match lines.get(n) {
            Some(_) if n + 1 == room && hidden > 1 => text.push_str(&format!("… {hidden} more")),
            line => text.extend(line.unwrap_or(&"").chars().take(width)),
        }
        text.push_str("\x1b[K\r\n");
    }
    text.extend(KEYS.chars().take(width));
    text.push_str("\x1b[K\x1b[J");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_keeps_to_the_terminal() {
        let frame = frame("heading", "TASK\none-that-is-long\ntwo\nthree", 8, 6).replace('\x1b', "^");
        assert_eq!(frame, "^[Hheading^[K\r\n^[K\r\nTASK^[K\r\none-that^[K\r\n… 2 more^[K\r\nc cpu  m^[K^[J");
    }

    #[test]
    fn the_keys_are_on_the_last_line() {
        let frame = frame("heading", "TASK", 80, 5).replace('\x1b', "^");
        assert_eq!(frame, format!("^[Hheading^[K\r\n^[K\r\nTASK^[K\r\n^[K\r\n{KEYS}^[K^[J"));
    }

    #[test]
    fn keys() {
        assert_eq!(
            [b'q', b'm', b't', b'x'].map(meaning),
            [Key::Quit, Key::Sort(Sort::Memory), Key::Containers, Key::Other]
        );
    }
}
