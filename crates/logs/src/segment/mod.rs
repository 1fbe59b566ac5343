//! One append-only file of one stream's events: its bytes (`frame`), what is where in it (`index`),
//! how a full one is compressed (`packed`), and how a file that was cut off in the middle of a write is read again (`recover`).

pub(crate) mod frame;
pub(crate) mod index;
pub(crate) mod packed;
pub(crate) mod recover;

#[cfg(test)]
mod tests;
