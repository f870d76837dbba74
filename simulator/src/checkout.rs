//! A checkout attempt: seven in ten are given up, mostly in silence; some come back within hours; some buy twice.
//!
//! Why people leave follows the published surveys of shoppers, in which several reasons may be ticked: unexpected costs for about
//! half of them, a forced account 28 %, a slow or complex form a fifth, a total that could not be seen in advance 18 %, no trust
//! in giving the card 17 %. So everyone who leaves meets each obstacle with its share, none of them or several.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::draft::{Draft, Fields, fresh_id};
use crate::options::{HOUR, MINUTE};
use crate::people::Visitor;
use crate::pick::{chance, lognormal, one_of, pause, weighted};
use crate::regression::RegressionKind;

const STEPS: [&str; 6] = ["cart", "account", "address", "shipping", "payment", "review"];
/// Given up at first; with those who return later, 70 % of all attempts end without a purchase.
const GIVES_UP: f64 = 0.742;
const RETURNS: f64 = 0.055;

/// What people meet on the way: its kind, the share of leavers who name it, the step at which they meet it.
const OBSTACLES: [(&str, f64, usize); 9] = [
    ("extra_cost", 0.49, 3),
    ("account_required", 0.28, 1),
    ("too_long", 0.20, 2),
    ("total_hidden", 0.18, 5),
    ("trust", 0.17, 4),
    ("slow_delivery", 0.06, 3),
    ("site_error", 0.04, 4),
    ("payment_methods", 0.04, 4),
    ("returns_policy", 0.03, 5),
];
/// Of the buyers on mobile devices, while their payments fail.
const PAYMENT_FAILS: f64 = 0.6;
/// Buyers meet the same obstacles, but rarely.
const SHARE_OF_BUYERS: f64 = 0.06;

/// How the attempt was for the customer.
pub(crate) enum Met {
    Bought { at: i64, transaction: String },
    BoughtAfterTrouble { at: i64 },
    Left { at: i64 },
}

/// What all events of one attempt say of it.
struct Attempt {
    ids: Ids,
    value: i64,
    currency: &'static str,
    at: i64,
}

enum Ids {
    Checkout(String, String),
    Cart(String),
    /// No id at all: the session holds the attempt together.
    Session,
}

impl Attempt {
    fn fields(&self) -> Fields {
        match &self.ids {
            Ids::Checkout(checkout, cart) => {
                Fields::new().text("checkout_id", checkout).text("cart_id", cart)
            }
            Ids::Cart(cart) => Fields::new().text("cart_id", cart),
            Ids::Session => Fields::new(),
        }
    }
}

/// The events of one visitor's attempts, beginning at `at`.
pub(crate) fn events(visitor: &mut Visitor, at: i64, drafts: &mut Vec<Draft>) -> Met {
    let shopping_for = visitor.context.touchpoint;
    visitor.context.touchpoint = visitor.site.checkout;
    let random = &mut visitor.random;
    let ids = match weighted(random, &[(0, 0.85), (1, 0.10), (2, 0.05)]) {
        0 => Ids::Checkout(fresh_id("k", at, random), fresh_id("b", at, random)),
        1 => Ids::Cart(fresh_id("b", at, random)),
        _ => Ids::Session,
    };
    #[expect(clippy::cast_possible_truncation, reason = "a basket is small")]
    let value = (lognormal(random, 6_800.0, 0.8) as i64).clamp(300, 500_000);
    let mut attempt = Attempt { ids, value, currency: visitor.site.currency, at };
    let met = attempt_once(visitor, &mut attempt, drafts);
    if let (Met::Bought { at, .. }, true) = (&met, chance(&mut visitor.random, 0.03)) {
        attempt.at = at + pause(&mut visitor.random, 300.0, 0.8);
        attempt_once(visitor, &mut attempt, drafts);
    }
    visitor.context.touchpoint = shopping_for;
    met
}

fn attempt_once(visitor: &mut Visitor, attempt: &mut Attempt, drafts: &mut Vec<Draft>) -> Met {
    let items = visitor.random.random_range(1..=5);
    let started = attempt.fields().money("value", attempt.value).text("currency", attempt.currency);
    visitor.add(attempt.at, "checkout.started", started.plain("items", items), drafts);
    if chance(&mut visitor.random, GIVES_UP) {
        return leave(visitor, attempt, drafts);
    }
    let met = obstacles(&mut visitor.random, SHARE_OF_BUYERS);
    for (index, name) in STEPS.into_iter().enumerate() {
        if name == "payment" && payment_fails(visitor, attempt.at) {
            step(visitor, attempt, index, &met, false, drafts);
            attempt.at += pause(&mut visitor.random, 12.0, 0.6);
            let failed = attempt.fields().text("step", name).text("action", "failed");
            visitor.add(attempt.at, "checkout.step", failed.text("error", "gateway_timeout"), drafts);
            return Met::Left { at: attempt.at };
        }
        step(visitor, attempt, index, &met, true, drafts);
    }
    let transaction = complete(visitor, attempt, drafts);
    Met::Bought { at: attempt.at, transaction }
}

fn payment_fails(visitor: &mut Visitor, at: i64) -> bool {
    visitor.context.device == Some("mobile")
        && visitor.regressions.has(RegressionKind::PaymentErrors, at)
        && chance(&mut visitor.random, PAYMENT_FAILS)
}

/// Goes to the step where the worst obstacle stands, and leaves there; a few return within hours and buy.
fn leave(visitor: &mut Visitor, attempt: &mut Attempt, drafts: &mut Vec<Draft>) -> Met {
    let met = obstacles(&mut visitor.random, 1.0);
    let reason = (!met.is_empty()).then(|| one_of(&mut visitor.random, &met));
    let last = match reason {
        Some(reason) => OBSTACLES[reason].2,
        None => visitor.random.random_range(0..STEPS.len()),
    };
    for index in 0..last {
        step(visitor, attempt, index, &met, true, drafts);
    }
    step(visitor, attempt, last, &met, false, drafts);
    if chance(&mut visitor.random, 0.12) {
        attempt.at += pause(&mut visitor.random, 20.0, 0.8);
        let kind = reason.map(|reason| OBSTACLES[reason].0);
        let kind = if chance(&mut visitor.random, 0.8) { kind } else { None };
        visitor.add(attempt.at, "checkout.abandoned", attempt.fields().maybe("reason", kind), drafts);
    }
    if !chance(&mut visitor.random, RETURNS) {
        return Met::Left { at: attempt.at };
    }
    attempt.at += (40 * MINUTE + pause(&mut visitor.random, 5_400.0, 0.8)).min(6 * HOUR);
    for index in last..STEPS.len() {
        step(visitor, attempt, index, &[], true, drafts);
    }
    complete(visitor, attempt, drafts);
    Met::BoughtAfterTrouble { at: attempt.at }
}

fn obstacles(random: &mut ChaCha8Rng, share: f64) -> Vec<usize> {
    (0..OBSTACLES.len()).filter(|index| chance(random, OBSTACLES[*index].1 * share)).collect()
}

fn step(
    visitor: &mut Visitor,
    attempt: &mut Attempt,
    index: usize,
    met: &[usize],
    goes_on: bool,
    drafts: &mut Vec<Draft>,
) {
    let name = STEPS[index];
    attempt.at += pause(&mut visitor.random, 3.0, 0.6);
    let mut viewed = attempt.fields().text("step", name).text("action", "viewed");
    if name == "shipping" {
        viewed = viewed.money("extra_cost", 490).text("shipping_tier", "standard");
    }
    visitor.add(attempt.at, "checkout.step", viewed, drafts);
    for obstacle in met.iter().filter(|obstacle| OBSTACLES[**obstacle].2 == index) {
        attempt.at += pause(&mut visitor.random, 6.0, 0.7);
        let friction = attempt.fields().text("kind", OBSTACLES[*obstacle].0);
        visitor.add(attempt.at, "checkout.friction", friction, drafts);
    }
    if chance(&mut visitor.random, if name == "payment" { 0.09 } else { 0.02 }) {
        attempt.at += pause(&mut visitor.random, 12.0, 0.6);
        let error = match name {
            "payment" => {
                one_of(&mut visitor.random, &["card_declined", "insufficient_funds", "gateway_timeout"])
            }
            "address" => "postcode_invalid",
            _ => "validation_failed",
        };
        let failed = attempt.fields().text("step", name).text("action", "failed").text("error", error);
        visitor.add(attempt.at, "checkout.step", failed, drafts);
    }
    if !goes_on {
        return;
    }
    attempt.at += pause(&mut visitor.random, 16.0, 0.7);
    let mut completed = attempt.fields().text("step", name).text("action", "completed");
    if name == "account" {
        completed =
            completed.text("account_type", weighted(&mut visitor.random, &[("guest", 0.6), ("member", 0.4)]));
    }
    if name == "payment" {
        let payment = weighted(&mut visitor.random, &[("card", 0.45), ("wallet", 0.4), ("invoice", 0.15)]);
        completed = completed.text("payment_type", payment);
    }
    visitor.add(attempt.at, "checkout.step", completed, drafts);
}

/// The purchase; now and then it is reported twice, or given back hours later.
fn complete(visitor: &mut Visitor, attempt: &mut Attempt, drafts: &mut Vec<Draft>) -> String {
    attempt.at += pause(&mut visitor.random, 5.0, 0.5);
    let transaction = fresh_id("t", attempt.at, &mut visitor.random);
    let fields = |attempt: &Attempt| {
        let fields = attempt.fields().text("transaction_id", &transaction);
        fields.money("value", attempt.value).text("currency", attempt.currency)
    };
    visitor.add(attempt.at, "checkout.completed", fields(attempt), drafts);
    if chance(&mut visitor.random, 0.01) {
        let again_at = attempt.at + pause(&mut visitor.random, 30.0, 1.0);
        visitor.add(again_at, "checkout.completed", fields(attempt), drafts);
    }
    if chance(&mut visitor.random, 0.02) {
        let back_at = attempt.at + 2 * HOUR + pause(&mut visitor.random, 7_200.0, 0.8);
        let refund = attempt.fields().text("transaction_id", &transaction).money("value", attempt.value);
        visitor.add(back_at, "checkout.refunded", refund, drafts);
    }
    transaction
}
