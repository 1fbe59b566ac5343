//! Who pushes and pulls: passwords and bearer tokens that this registry itself has signed.
//!
//! `token.rs` makes and reads them (pure), `key.rs` keeps the key, `request.rs` reads a request's header,
//! `access.rs` says what a bearer token was asked for. What their owner may do is asked elsewhere, for each
//! request: `principals.rs`, `oci/authorize.rs`.

pub mod access;
pub mod key;
pub mod principals;
pub mod request;
pub mod token;
