//! How much work may be in flight, who has to wait when it becomes much, and which events wait first.
//!
//! Work in flight is measured, not guessed: bytes of bodies from their first byte until the answer (so also while Kafka is slow to
//! acknowledge), and requests. One rule shares both budgets (dynamic thresholds, as switches share their buffers): **a key may hold
//! a multiple of what is still free.** While much is free nobody is refused; the less is left, the less each key may have, so the
//! greediest key is refused first, and a key that holds nothing always finds room. `n` keys that take all they can get hold
//! `multiple / (1 + n · multiple)` of the budget each, without anyone counting keys.
//!
//! The multiple depends on what an event is worth ([`Worth`]): under pressure `app` events are shed first, then `chat`, then the
//! way through checkouts and surveys, and their outcomes last. Promise: what is shed is answered in `retry` with 503.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use touchstream_schemas::event::Family;

use crate::error::Refusal;
use crate::keys::WriteKey;

/// Bytes that a request costs beside its body: its head, its receipt, a short answer.
pub(crate) const REQUEST_BYTES: usize = 4 * 1_024;

/// What an event is worth when not all can be taken; the multiple of the free budget that its key may hold.
///
/// One key alone can hold 1/2 of the budget with app events, 2/3 with chat, 3/4 with other events, 8/9 with outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    App = 1,
    Chat = 2,
    Other = 3,
    /// Nothing later can stand in for it: how a checkout ended, what a customer answered.
    Outcome = 8,
}

impl Worth {
    /// The worth of an event type.
    fn of(event_type: &str) -> Worth {
        match event_type {
            "checkout.completed" | "checkout.abandoned" | "feedback.answered" => Worth::Outcome,
            _ => match Family::of_type(event_type) {
                Some(Family::Checkout | Family::Feedback) => Worth::Other,
                Some(Family::Chat) => Worth::Chat,
                Some(Family::App) | None => Worth::App,
            },
        }
    }
}

/// An amount of work.
#[derive(Debug, Default)]
pub(crate) struct Work {
    bytes: AtomicUsize,
    requests: AtomicUsize,
}

impl Work {
    fn add(&self, bytes: usize, requests: usize) -> (usize, usize) {
        (
            self.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes,
            self.requests.fetch_add(requests, Ordering::AcqRel) + requests,
        )
    }

    fn remove(&self, bytes: usize, requests: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.requests.fetch_sub(requests, Ordering::AcqRel);
    }

    fn now(&self) -> (usize, usize) {
        (self.bytes.load(Ordering::Acquire), self.requests.load(Ordering::Acquire))
    }
}

/// Whether a key that holds `held`, itself included in `total`, may do so.
fn may_hold(budget: usize, total: usize, held: usize, worth: Worth) -> bool {
    let free = budget.saturating_sub(total);
    total <= budget && held <= free.saturating_mul(worth as usize)
}

/// The budget and what is in flight.
#[derive(Debug)]
pub(crate) struct Admission {
    bytes: usize,
    requests: usize,
    total: Work,
}

impl Admission {
    pub(crate) fn new(bytes: usize, requests: usize) -> Admission {
        Admission { bytes, requests, total: Work::default() }
    }

    /// Bytes in flight.
    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.total.now().0
    }

    /// Admits a request of this key, without its body.
    pub(crate) fn enter<'a>(&'a self, key: &Arc<WriteKey>) -> Result<Hold<'a>, Refusal> {
        let mut hold = Hold { admission: self, key: Arc::clone(key), bytes: 0, requests: 0 };
        hold.add(REQUEST_BYTES, 1)?;
        Ok(hold)
    }

    fn may_key_hold(&self, total: (usize, usize), held: (usize, usize), worth: Worth) -> bool {
        may_hold(self.bytes, total.0, held.0, worth) && may_hold(self.requests, total.1, held.1, worth)
    }

    /// The families of a body that must wait, by its event types; none without pressure.
    ///
    /// A family goes or waits as a whole, by the worth of its best event: an event must not overtake one of the same body that came
    /// before it under the same Kafka key.
    pub(crate) fn shed<'t>(&self, key: &WriteKey, types: impl Iterator<Item = &'t str>) -> [bool; 4] {
        let (total, held) = (self.total.now(), key.work.now());
        if self.may_key_hold(total, held, Worth::App) {
            return [false; 4];
        }
        let mut best = [Worth::App; 4];
        for event_type in types {
            if let Some(family) = Family::of_type(event_type) {
                let best = &mut best[family as usize];
                *best = Worth::of(event_type).max(*best);
            }
        }
        best.map(|worth| !self.may_key_hold(total, held, worth))
    }
}

/// A request's share of the budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    admission: &'a Admission,
    key: Arc<WriteKey>,
    bytes: usize,
    requests: usize,
}

impl Hold<'_> {
    fn add(&mut self, bytes: usize, requests: usize) -> Result<(), Refusal> {
        // Added first and looked at then, so that two at a time cannot both take the last place.
        let total = self.admission.total.add(bytes, requests);
        let held = self.key.work.add(bytes, requests);
        if self.admission.may_key_hold(total, held, Worth::Outcome) {
            self.bytes += bytes;
            self.requests += requests;
            return Ok(());
        }
        self.admission.total.remove(bytes, requests);
        self.key.work.remove(bytes, requests);
        Err(Refusal::Busy)
    }

    /// The request turns out to be this key's: what it holds counts for that key from now on, and for the one before no more.
    pub(crate) fn hand_over(&mut self, key: &Arc<WriteKey>) -> Result<(), Refusal> {
        let held = key.work.add(self.bytes, self.requests);
        if !self.admission.may_key_hold(self.admission.total.now(), held, Worth::Outcome) {
            key.work.remove(self.bytes, self.requests);
            return Err(Refusal::Busy);
        }
        self.key.work.remove(self.bytes, self.requests);
        self.key = Arc::clone(key);
        Ok(())
    }

    /// Adds bytes of the body.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.add(bytes, 0)
    }
}

impl Admission {
    /// Adds the bytes of an answer to what this key holds, until [`Admission::forget`]; whether there was room.
    pub(crate) fn remember(&self, key: &WriteKey, bytes: usize) -> bool {
        let (total, held) = (self.total.add(bytes, 0), key.work.add(bytes, 0));
        let has_room = self.may_key_hold(total, held, Worth::Outcome);
        if !has_room {
            self.forget(key, bytes);
        }
        has_room
    }

    /// The answer was sent, or will not be.
    pub(crate) fn forget(&self, key: &WriteKey, bytes: usize) {
        self.total.remove(bytes, 0);
        key.work.remove(bytes, 0);
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.admission.total.remove(self.bytes, self.requests);
        self.key.work.remove(self.bytes, self.requests);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Keys;

    const MIB: usize = 1_024 * 1_024;

    fn keys<const N: usize>() -> [Arc<WriteKey>; N] {
        let entries: Vec<String> = (0..N).map(|number| format!("k{number}:t{number}:s")).collect();
        let keys = Keys::configured(&entries, "secret").expect("they are valid");
        std::array::from_fn(|number| keys.find(&format!("k{number}")).expect("it is there"))
    }

    /// Requests of `bytes` until one is refused.
    fn fill<'a>(
        admission: &'a Admission,
        key: &Arc<WriteKey>,
        bytes: usize,
        holds: &mut Vec<Hold<'a>>,
    ) -> usize {
        for taken in 0.. {
            let Ok(mut hold) = admission.enter(key) else { return taken };
            if hold.grow(bytes).is_err() {
                return taken;
            }
            holds.push(hold);
        }
        unreachable!("the budget is bounded")
    }

    #[test]
    fn a_greedy_key_leaves_room_and_has_to_give_way() {
        let admission = Admission::new(64 * MIB, 10_000);
        let [greedy, other] = keys();
        let mut held = Vec::new();
        let taken = fill(&admission, &greedy, MIB, &mut held);
        assert!((55..=57).contains(&taken), "8/9 of the budget: {taken}");
        let mut others = Vec::new();
        let begun = fill(&admission, &other, MIB, &mut others);
        assert!(begun >= 5, "a key that holds little finds room: {begun}");
        // The greedy key is refused until it is at its share; the other takes what it gives back.
        while held.len() > others.len() {
            held.pop();
            if held.len() > others.len() + 3 {
                assert!(admission.enter(&greedy).and_then(|mut hold| hold.grow(MIB)).is_err());
            }
            fill(&admission, &other, MIB, &mut others);
        }
        let fair = 64 * 8 / 17;
        assert!(
            others.len().abs_diff(fair) <= 2 && held.len().abs_diff(fair) <= 2,
            "{} {}",
            others.len(),
            held.len()
        );
        drop((held, others));
        assert_eq!(admission.total.now(), (0, 0));
        assert_eq!(greedy.work.now(), (0, 0));
    }

    #[test]
    fn what_is_handed_over_counts_once_and_for_its_new_key() {
        let admission = Admission::new(64 * MIB, 10_000);
        let [nobody, key, full] = keys();
        let mut hold = admission.enter(&nobody).expect("nobody holds anything");
        hold.grow(MIB).expect("there is room");
        let held = nobody.work.now();
        hold.hand_over(&key).expect("there is room");
        assert_eq!((nobody.work.now(), key.work.now(), admission.total.now()), ((0, 0), held, held));
        hold.grow(12 * MIB).expect("there is room");
        assert_eq!(key.work.now(), (held.0 + 12 * MIB, 1), "it grows for its new key");
        let mut holds = Vec::new();
        fill(&admission, &full, MIB, &mut holds);
        let before = (key.work.now(), full.work.now(), admission.total.now());
        assert_eq!(hold.hand_over(&full), Err(Refusal::Busy), "no key gets more than its share in this way");
        assert_eq!((key.work.now(), full.work.now(), admission.total.now()), before);
        drop((hold, holds));
        assert_eq!([nobody.work.now(), key.work.now(), full.work.now(), admission.total.now()], [(0, 0); 4]);
    }

    #[test]
    fn under_pressure_app_goes_first_and_outcomes_last() {
        let admission = Admission::new(64 * MIB, 10_000);
        let [key] = keys();
        let types = ["app.response", "chat.message", "checkout.step", "feedback.shown"];
        let outcomes = ["checkout.step", "checkout.completed", "feedback.answered"];
        let shed = |types: &[&str]| admission.shed(&key, types.iter().copied());
        let mut seen = Vec::new();
        let mut holds = Vec::new();
        loop {
            let now = shed(&types);
            if seen.last() != Some(&now) {
                seen.push(now);
            }
            assert_eq!(
                shed(&outcomes)[Family::Checkout as usize],
                shed(&outcomes)[Family::Feedback as usize]
            );
            assert!(!shed(&outcomes)[Family::Checkout as usize], "outcomes go on until the door is closed");
            let Ok(mut hold) = admission.enter(&key) else { break };
            if hold.grow(MIB).is_err() {
                break;
            }
            holds.push(hold);
        }
        let families = |families: &[Family]| {
            let mut shed = [false; 4];
            families.iter().for_each(|family| shed[*family as usize] = true);
            shed
        };
        let expected = [
            families(&[]),
            families(&[Family::App]),
            families(&[Family::App, Family::Chat]),
            families(&Family::ALL),
        ];
        assert_eq!(seen, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_budget_holds_a_newcomer_finds_room_and_all_is_given_back(
            steps in proptest::collection::vec((0_usize..2, 0_usize..400_000, any::<bool>()), 1..300),
        ) {
            let admission = Admission::new(4 * MIB, 200);
            let keys: [_; 3] = keys();
            let mut holds = Vec::new();
            for (key, bytes, release) in steps {
                if release && !holds.is_empty() {
                    holds.swap_remove(key % holds.len());
                } else if let Ok(mut hold) = admission.enter(&keys[key]) {
                    // A body that was refused keeps what it had until it is dropped.
                    let _grown = hold.grow(bytes);
                    holds.push(hold);
                }
                let (held, requests) = admission.total.now();
                prop_assert!(held <= 4 * MIB && requests <= 200);
                // The first key leaves at least 1/9 of the budget, the second 1/9 of that.
                prop_assert!(admission.enter(&keys[2]).and_then(|mut hold| hold.grow(20_000)).is_ok());
            }
            drop(holds);
            prop_assert_eq!(admission.total.now(), (0, 0));
        }
    }
}
