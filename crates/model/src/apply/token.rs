use super::Draft;
use crate::{command::Token, entity::*, event::Event, key::Scope, refusal::Refusal};
use std::sync::Arc;

impl Draft {
    /// Refuses a call that came before with its token: as done, if it is the same call.
    pub(super) fn check_token(&self, scope: &Scope, token: Option<&Token>) -> Result<(), Refusal> {
        let Some(token) = token else { return Ok(()) };
        match self.world.token(&key_of(scope, token), self.now_ms) {
            None => Ok(()),
            Some(known) if known.fingerprint == token.fingerprint => {
                Err(Refusal::AlreadyDone(known.result.clone()))
            }
            Some(_) => Err(Refusal::TokenReused),
        }
    }

    pub(super) fn record_token(&mut self, scope: &Scope, token: Option<&Token>, result: TokenResult) {
        let Some(token) = token else { return };
        self.emit(Event::TokenRecorded(Arc::new(ClientToken {
            key: key_of(scope, token),
            fingerprint: token.fingerprint.clone(),
            result,
            expires_at_ms: self.now_ms + TOKEN_LIFETIME_MS,
        })));
    }
}

fn key_of(scope: &Scope, token: &Token) -> TokenKey {
    TokenKey { scope: scope.clone(), operation: token.operation.clone(), token: token.token.clone() }
}
