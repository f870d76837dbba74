//! Reading SQL text just deep enough to route it: tokens, the shape of a statement, what may not be run at all.
//!
//! The engine's own parser stays the judge of meaning; this module finds where data begins, which format the answer has,
//! and the few things that the engine would allow and a server must not.

pub(crate) mod guard;
pub(crate) mod lexer;
pub(crate) mod settings_clause;
pub(crate) mod statement;
