//! A visit: screens, responses, sometimes a purchase, sometimes a question to the service, sometimes a survey at the end.

use rand::Rng;

use crate::checkout::{self, Met};
use crate::draft::{Draft, Fields};
use crate::options::{HOUR, MINUTE, SECOND};
use crate::people::Visitor;
use crate::pick::{chance, one_of, pause, weighted};
use crate::regression::RegressionKind;
use crate::{conversation, survey};

/// The touchpoint that falls silent.
const SILENT: &str = "outlet-checkout";

/// Every event of one visitor, in no particular order. The journey's start is the visitor's coming; none is earlier.
pub(crate) fn events(mut visitor: Visitor) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let visitor = &mut visitor;
    if chance(&mut visitor.random, 0.12) {
        contact(visitor, &mut drafts);
        return drafts;
    }
    let left_at = look_around(visitor, &mut drafts);
    if visitor.is_machine() || !chance(&mut visitor.random, 0.42) {
        return drafts;
    }
    let met = checkout::events(visitor, left_at, &mut drafts);
    if let Met::Bought { at, transaction } = &met {
        order(visitor, *at, transaction, &mut drafts);
    }
    let (surveyed, at, satisfaction) = match met {
        Met::Bought { at, .. } => (0.16, at, 9.2),
        Met::BoughtAfterTrouble { at } => (0.16, at, 7.6),
        Met::Left { at } => (0.05, at, 5.4),
    };
    if chance(&mut visitor.random, surveyed) {
        survey::after_checkout(visitor, at, satisfaction, &mut drafts);
    }
    if chance(&mut visitor.random, if satisfaction < 8.0 { 0.06 } else { 0.02 }) {
        let asks_at = at + pause(&mut visitor.random, 240.0, 1.0);
        contact_at(visitor, asks_at, &mut drafts);
    }
    drafts
}

fn contact(visitor: &mut Visitor, drafts: &mut Vec<Draft>) {
    let at = visitor.came_at;
    contact_at(visitor, at, drafts);
}

fn contact_at(visitor: &mut Visitor, at: i64, drafts: &mut Vec<Draft>) {
    let end = conversation::events(visitor, at, drafts);
    if chance(&mut visitor.random, 0.22) {
        survey::after_conversation(visitor, end.at, end.satisfaction, drafts);
    }
}

/// Screens and the responses behind them; the time after the last.
fn look_around(visitor: &mut Visitor, drafts: &mut Vec<Draft>) -> i64 {
    let mut at = visitor.came_at;
    visitor.app(at, "app.session_started", Fields::new(), drafts);
    let screens = visitor.random.random_range(1..=6);
    let pace = if visitor.is_machine() { 0.4 } else { 14.0 };
    for _ in 0..screens {
        at += pause(&mut visitor.random, pace, 0.8);
        let name = weighted(
            &mut visitor.random,
            &[("home", 0.2), ("search", 0.25), ("category", 0.25), ("product", 0.3)],
        );
        visitor.app(at, "app.screen_viewed", Fields::new().text("name", name), drafts);
        if chance(&mut visitor.random, 0.5) {
            respond(visitor, at, name, drafts);
        }
    }
    if chance(&mut visitor.random, 0.02) {
        let code = one_of(&mut visitor.random, &["TypeError", "NetworkError", "OutOfMemory", "ImageMissing"]);
        let fatal = chance(&mut visitor.random, 0.1);
        visitor.app(at, "app.error", Fields::new().text("code", code).plain("fatal", fatal), drafts);
    }
    if chance(&mut visitor.random, 0.1) {
        let result =
            weighted(&mut visitor.random, &[("success", 0.85), ("failure", 0.07), ("abandoned", 0.08)]);
        let took = pause(&mut visitor.random, 25.0, 0.7);
        let fields =
            Fields::new().text("name", "find_product").text("result", result).plain("duration_ms", took);
        visitor.app(at, "app.task", fields, drafts);
    }
    at + pause(&mut visitor.random, 12.0, 0.7)
}

fn respond(visitor: &mut Visitor, at: i64, name: &str, drafts: &mut Vec<Draft>) {
    let took = pause(&mut visitor.random, if name == "search" { 0.22 } else { 0.11 }, 0.6);
    let status = weighted(&mut visitor.random, &[(200, 0.985), (404, 0.01), (500, 0.003), (503, 0.002)]);
    let fields = Fields::new().text("name", name).plain("duration_ms", took).plain("status", status);
    visitor.app(at + took, "app.response", fields, drafts);
}

/// What becomes of an order within the day: placed, paid, some shipped, a notice.
fn order(visitor: &mut Visitor, at: i64, transaction: &str, drafts: &mut Vec<Draft>) {
    let state = |state: &str| Fields::new().text("order_id", transaction).text("state", state);
    visitor.app(at + SECOND, "app.order", state("placed"), drafts);
    visitor.app(at + 3 * SECOND, "app.order", state("paid"), drafts);
    if chance(&mut visitor.random, 0.4) {
        let shipped_at = at + 4 * HOUR + pause(&mut visitor.random, 3_600.0, 0.8);
        visitor.app(shipped_at, "app.order", state("shipped"), drafts);
        let notice =
            Fields::new().text("order_id", transaction).text("kind", "shipped").text("status", "sent");
        visitor.app(shipped_at + MINUTE, "app.notice", notice, drafts);
    }
}

impl Visitor {
    /// Adds an event of this visitor, unless its touchpoint is silent.
    pub(crate) fn add(&mut self, at: i64, event_type: &'static str, data: Fields, drafts: &mut Vec<Draft>) {
        if self.context.touchpoint == SILENT && self.regressions.has(RegressionKind::SilentTouchpoint, at) {
            return;
        }
        drafts.push(Draft::new(event_type, at, &mut self.context, data, &mut self.random));
    }

    fn app(&mut self, at: i64, event_type: &'static str, data: Fields, drafts: &mut Vec<Draft>) {
        let data = data.text("site", self.site.name);
        self.add(at, event_type, data, drafts);
    }
}
