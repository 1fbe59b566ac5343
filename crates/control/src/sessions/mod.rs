//! The agents' side: what they are told, and what they say.

pub mod payload;
