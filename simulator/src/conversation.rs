//! A service conversation on any channel: bots first, handoffs, agents whose answers take lognormal times, private notes,
//! conversations that nobody answers, and some that come back after they were solved.

use rand::Rng;

use crate::draft::{Context, Draft, Fields, fresh_id};
use crate::options::{HOUR, MINUTE, SECOND};
use crate::people::Visitor;
use crate::pick::{chance, one_of, pause, weighted};
use crate::regression::RegressionKind;

/// How much longer the slow chat team takes.
const SLOWNESS: i64 = 4;

/// A service channel: how likely, who answers how fast (median seconds, spread), whether a bot stands before the agents.
#[derive(Clone, Copy, Debug)]
struct Line {
    channel: &'static str,
    device: Option<&'static str>,
    answer_s: f64,
    spread: f64,
    bot: f64,
    /// Median seconds that the customer takes.
    customer_s: f64,
}

const LINES: [(Line, f64); 5] = [
    (Line { channel: "chat", device: None, answer_s: 75.0, spread: 1.0, bot: 0.65, customer_s: 25.0 }, 0.46),
    (
        Line {
            channel: "whatsapp",
            device: Some("mobile"),
            answer_s: 240.0,
            spread: 1.1,
            bot: 0.5,
            customer_s: 60.0,
        },
        0.2,
    ),
    (
        Line {
            channel: "email",
            device: None,
            answer_s: 6_300.0,
            spread: 0.9,
            bot: 0.0,
            customer_s: 3_000.0,
        },
        0.18,
    ),
    (Line { channel: "phone", device: None, answer_s: 70.0, spread: 0.8, bot: 0.1, customer_s: 8.0 }, 0.12),
    (
        Line {
            channel: "social",
            device: Some("mobile"),
            answer_s: 1_500.0,
            spread: 1.2,
            bot: 0.0,
            customer_s: 400.0,
        },
        0.04,
    ),
];
const TOPICS: [&str; 6] = ["delivery", "return", "invoice", "product", "account", "complaint"];

/// How it ended for the customer: when, and how well (0–10).
pub(crate) struct End {
    pub(crate) at: i64,
    pub(crate) satisfaction: f64,
}

struct Talk<'a> {
    visitor: &'a mut Visitor,
    drafts: &'a mut Vec<Draft>,
    line: Line,
    id: String,
    at: i64,
    satisfaction: f64,
}

/// The events of one conversation, beginning at `at`.
pub(crate) fn events(visitor: &mut Visitor, at: i64, drafts: &mut Vec<Draft>) -> End {
    let line = weighted(&mut visitor.random, &LINES);
    let site = visitor.context.clone();
    let touchpoint = weighted(&mut visitor.random, &[("support", 0.7), ("order-help", 0.3)]);
    visitor.context.touch_service(&line, touchpoint);
    let id = fresh_id("v", at, &mut visitor.random);
    let mut talk = Talk { visitor, drafts, line, id, at, satisfaction: 8.6 };
    talk.run();
    let end = End { at: talk.at, satisfaction: talk.satisfaction };
    let seq = visitor.context.seq;
    visitor.context = Context { seq, ..site };
    end
}

impl Context {
    fn touch_service(&mut self, line: &Line, touchpoint: &'static str) {
        self.touchpoint = touchpoint;
        if line.channel != "chat" {
            self.device = line.device;
        }
        self.channel = line.channel;
        self.mode = Some(if line.bot > 0.3 { "bot" } else { "assisted" });
    }
}

impl Talk<'_> {
    fn run(&mut self) {
        let by_agent = chance(&mut self.visitor.random, 0.03);
        self.start(by_agent);
        if by_agent {
            self.message("agent", Fields::new());
        }
        if self.line.channel == "phone" {
            self.call();
        }
        self.customer_message();
        let by_bot = !by_agent && chance(&mut self.visitor.random, self.line.bot);
        if by_bot && self.bot_solves_it() {
            self.finish(0.9);
            return;
        }
        if chance(&mut self.visitor.random, 0.04) {
            self.satisfaction = 2.0;
            return;
        }
        self.agent_answers();
        self.finish(0.72);
        if chance(&mut self.visitor.random, 0.07) {
            self.come_back();
        }
    }

    fn start(&mut self, by_agent: bool) {
        let topic = one_of(&mut self.visitor.random, &TOPICS);
        let mut fields = self.fields().text("topic", topic);
        if chance(&mut self.visitor.random, 0.8) {
            fields = fields.text("initiator", if by_agent { "agent" } else { "customer" });
        }
        if self.line.channel == "email" {
            fields = fields.text("case_id", &self.id.replacen('v', "case", 1));
        }
        self.add("chat.started", fields);
    }

    fn call(&mut self) {
        let queue_s = self.visitor.random.random_range(5..240);
        let fields =
            self.fields().plain("queue_s", queue_s).plain("talk_s", 4 * queue_s).plain("answered", true);
        self.add("chat.call", fields);
    }

    fn customer_message(&mut self) {
        self.at += pause(&mut self.visitor.random, self.line.customer_s, 0.7);
        self.message("customer", Fields::new());
        if chance(&mut self.visitor.random, 0.2) {
            self.at += pause(&mut self.visitor.random, 8.0, 0.5);
            self.message("customer", Fields::new());
        }
    }

    /// True when the bot was enough; else it hands over.
    fn bot_solves_it(&mut self) -> bool {
        // Now and then the bot is stuck: it gives one answer again and again.
        let stuck_at = chance(&mut self.visitor.random, 0.05).then_some(7);
        let rounds = self.visitor.random.random_range(1..=4);
        for _ in 0..if stuck_at.is_some() { rounds.max(3) } else { rounds } {
            self.at += pause(&mut self.visitor.random, 1.5, 0.3);
            let fallback = chance(&mut self.visitor.random, 0.18);
            let usual = self.visitor.random.random_range(1..60);
            let answer = format!("answer-{}", stuck_at.unwrap_or(usual));
            let mut fields = Fields::new().plain("fallback", fallback).text("answer_id", &answer);
            if chance(&mut self.visitor.random, 0.06) {
                fields = fields.text("reasked_field", "order_number");
            }
            self.message("bot", fields);
            self.satisfaction -= if fallback { 1.0 } else { 0.1 };
            self.at += pause(&mut self.visitor.random, self.line.customer_s, 0.6);
            self.message("customer", Fields::new());
        }
        if chance(&mut self.visitor.random, 0.45) {
            self.at += pause(&mut self.visitor.random, 1.5, 0.3);
            self.message("bot", Fields::new().plain("fallback", false));
            return true;
        }
        self.at += 2 * SECOND;
        let by = weighted(&mut self.visitor.random, &[("customer", 0.6), ("bot", 0.4)]);
        let passed = chance(&mut self.visitor.random, 0.7);
        let fields = self.fields().text("requested_by", by).plain("context_passed", passed);
        self.add("chat.handoff", fields);
        self.satisfaction -= if passed { 0.2 } else { 0.8 };
        false
    }

    fn agent_answers(&mut self) {
        for round in 0..self.visitor.random.random_range(1..=4) {
            let speed = if round == 0 { 1.0 } else { 0.6 };
            let usual = pause(&mut self.visitor.random, self.line.answer_s * speed, self.line.spread);
            let is_slow = ["chat", "whatsapp"].contains(&self.line.channel)
                && self.visitor.regressions.has(RegressionKind::SlowChat, self.at);
            let took = if is_slow { SLOWNESS * usual } else { usual };
            if chance(&mut self.visitor.random, 0.1) {
                let (asked_at, note_at) = (self.at, self.at + took / 2);
                self.at = note_at;
                self.message("agent", Fields::new().plain("public", false));
                self.at = asked_at;
            }
            self.at += took;
            self.message("agent", Fields::new());
            self.satisfaction -= if took > 2 * HOUR {
                1.5
            } else if took > 5 * MINUTE {
                0.9
            } else {
                0.0
            };
            if chance(&mut self.visitor.random, 0.6) {
                self.customer_message();
            } else {
                return;
            }
        }
        self.at += pause(&mut self.visitor.random, self.line.answer_s * 0.6, self.line.spread);
        self.message("agent", Fields::new());
    }

    fn finish(&mut self, solved: f64) {
        self.at += pause(&mut self.visitor.random, 90.0, 0.8);
        let state = weighted(
            &mut self.visitor.random,
            &[(Some("solved"), solved), (Some("closed"), 0.14), (None, 0.14)],
        );
        if state != Some("solved") {
            self.satisfaction -= 1.2;
        }
        if let Some(state) = state {
            let by =
                weighted(&mut self.visitor.random, &[("agent", 0.7), ("customer", 0.2), ("system", 0.1)]);
            let fields = self.fields().text("state", state).text("by", by);
            self.add("chat.status", fields);
        }
    }

    /// A second cycle: reopened in so many words, or simply by writing again.
    fn come_back(&mut self) {
        self.at += 10 * MINUTE + pause(&mut self.visitor.random, 3_600.0, 0.8);
        self.satisfaction -= 1.5;
        if chance(&mut self.visitor.random, 0.5) {
            let fields = self.fields().text("state", "reopened").text("by", "customer");
            self.add("chat.status", fields);
        }
        self.customer_message();
        self.agent_answers();
        self.finish(0.9);
    }

    fn fields(&self) -> Fields {
        Fields::new().text("conversation_id", &self.id)
    }

    fn message(&mut self, sender: &str, more: Fields) {
        let id = fresh_id("m", self.at, &mut self.visitor.random);
        let fields = more.text("conversation_id", &self.id).text("message_id", &id).text("sender", sender);
        if chance(&mut self.visitor.random, 0.005) {
            let fields = fields.clone();
            let at = self.at + pause(&mut self.visitor.random, 4.0, 0.5);
            self.visitor.add(at, "chat.message", fields, self.drafts);
        }
        self.add("chat.message", fields);
    }

    fn add(&mut self, event_type: &'static str, fields: Fields) {
        self.visitor.add(self.at, event_type, fields, self.drafts);
    }
}
