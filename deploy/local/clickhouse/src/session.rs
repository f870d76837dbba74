//! Sessions (`session_id`): what SET and USE said, and for the writer the engine connection with its temporary tables.
//!
//! Promise kept: a session belongs to one user, serves one request at a time, is bounded in number, and ends when its time
//! has passed without a request.

use crate::authenticate::User;
use crate::engine::Connection;
use crate::error::Exception;
use crate::request::SessionRequest;
use crate::settings::Setting;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a session remembers.
#[derive(Debug, Default)]
pub(crate) struct SessionState {
    pub(crate) settings: Vec<Setting>,
    pub(crate) parameters: Vec<(String, Vec<u8>)>,
    pub(crate) database: Option<String>,
    pub(crate) connection: Option<Connection>,
    /// Settings that requests left on the connection.
    pub(crate) stale_settings: Vec<String>,
}

/// What a statement changes of its session, if it succeeds.
#[derive(Debug)]
pub(crate) enum SessionChange {
    /// `SET a = 1, …`
    Set(Vec<Setting>),
    /// `USE database`
    Use(String),
}

impl SessionState {
    /// Keeps what SET or USE said for the session's later requests.
    pub(crate) fn remember(&mut self, change: SessionChange) {
        let pairs = match change {
            SessionChange::Use(name) => {
                self.database = Some(name);
                return;
            }
            SessionChange::Set(pairs) => pairs,
        };
        for (name, value) in pairs {
            if let Some(parameter) = name.strip_prefix("param_") {
                self.parameters.retain(|(known, _)| known != parameter);
                self.parameters.push((parameter.to_owned(), value.into_bytes()));
            } else {
                self.settings.retain(|(known, _)| *known != name);
                self.settings.push((name, value));
            }
        }
    }
}

#[derive(Debug)]
struct Slot {
    /// `None` while a request uses it.
    state: Option<SessionState>,
    expires: Instant,
}

type Key = (User, String);

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    slots: Mutex<HashMap<Key, Slot>>,
    maximum: usize,
}

/// A session in use; its state goes back when this is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    sessions: Arc<Sessions>,
    key: Key,
    timeout: Duration,
    pub(crate) state: SessionState,
}

impl Sessions {
    pub(crate) fn new(maximum: usize) -> Arc<Self> {
        Arc::new(Self { slots: Mutex::new(HashMap::new()), maximum })
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the session, making it if it may be made.
    pub(crate) fn lease(self: &Arc<Self>, user: &User, request: &SessionRequest) -> Result<Lease, Exception> {
        let now = Instant::now();
        let key = (user.clone(), request.id.clone());
        let ended = self.take_expired(now);
        let mut slots = self.slots();
        let full = slots.len() >= self.maximum;
        let state = match slots.get_mut(&key) {
            Some(slot) => slot.state.take().ok_or_else(Exception::session_locked)?,
            None if request.must_exist => return Err(Exception::session_not_found()),
            None if full => return Err(Exception::too_many_sessions(self.maximum)),
            None => {
                slots.insert(key.clone(), Slot { state: None, expires: now + request.timeout });
                SessionState::default()
            }
        };
        drop(slots);
        drop(ended);
        Ok(Lease { sessions: Arc::clone(self), key, timeout: request.timeout, state })
    }

    /// Ends sessions that nobody used in time. Their connections close with the answer, outside the lock.
    pub(crate) fn take_expired(&self, now: Instant) -> Vec<SessionState> {
        let mut slots = self.slots();
        let ended: Vec<Key> = slots
            .iter()
            .filter(|(_, slot)| slot.state.is_some() && slot.expires <= now)
            .map(|(key, _)| key.clone())
            .collect();
        ended.iter().filter_map(|key| slots.remove(key)?.state).collect()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let state = std::mem::take(&mut self.state);
        let expires = Instant::now() + self.timeout;
        if let Some(slot) = self.sessions.slots().get_mut(&self.key) {
            *slot = Slot { state: Some(state), expires };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authenticate::Role;

    #[test]
    fn a_session_is_one_users_one_at_a_time_and_ends() {
        let sessions = Sessions::new(2);
        let user = |name: &str| User { name: name.to_owned(), role: Role::Reader };
        let request = |id: &str, must_exist| SessionRequest {
            id: id.to_owned(),
            timeout: Duration::from_secs(1),
            must_exist,
        };
        let code = |result: Result<Lease, Exception>| result.err().map(|error| error.code);
        assert_eq!(code(sessions.lease(&user("a"), &request("s", true))), Some(372));
        let mut lease = sessions.lease(&user("a"), &request("s", false)).expect("new");
        lease.state.database = Some("cx".to_owned());
        assert_eq!(code(sessions.lease(&user("a"), &request("s", false))), Some(373));
        let other = sessions.lease(&user("b"), &request("s", false)).expect("another user's");
        assert_eq!(code(sessions.lease(&user("a"), &request("t", false))), Some(1));
        drop((lease, other));
        let again = sessions.lease(&user("a"), &request("s", true)).expect("kept");
        assert_eq!(again.state.database.as_deref(), Some("cx"));
        drop(again);
        assert_eq!(sessions.take_expired(Instant::now() + Duration::from_secs(2)).len(), 2);
        assert_eq!(code(sessions.lease(&user("a"), &request("s", true))), Some(372));
    }
}
