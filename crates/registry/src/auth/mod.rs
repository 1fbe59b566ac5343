//! Who pushes and pulls: passwords and bearer tokens that this registry itself has signed.
//!
//! `token.rs` makes and reads them (pure), `key.rs` keeps the key, `request.rs` reads a request's header.

pub mod key;
pub mod request;
pub mod token;
