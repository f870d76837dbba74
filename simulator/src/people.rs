//! Who comes, and with what: customers, sites, devices.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::draft::{Context, fresh_id};
use crate::pick::{chance, one_of, weighted};
use crate::regression::Regressions;

/// Known customers; each comes back again and again.
const CUSTOMERS: u32 = 40_000;
const SITES: [(Site, f64); 3] = [
    (Site { name: "de", locale: "de-DE", currency: "EUR", checkout: "checkout" }, 0.55),
    (Site { name: "fr", locale: "fr-FR", currency: "EUR", checkout: "checkout" }, 0.25),
    (Site { name: "uk", locale: "en-GB", currency: "GBP", checkout: "outlet-checkout" }, 0.20),
];
const APP_VERSIONS: [(&str, f64); 3] = [("5.2.0", 0.7), ("5.1.3", 0.2), ("4.9.8", 0.1)];
const CAMPAIGNS: [&str; 4] = ["newsletter-47", "search-brand", "social-autumn", "partner"];
const REFERRERS: [&str; 3] = ["https://search.example", "https://social.example", "https://mail.example"];

/// One of the shop's sites.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) locale: &'static str,
    pub(crate) currency: &'static str,
    pub(crate) checkout: &'static str,
}

/// A visitor: chance of their own, who they are, and where they are.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) random: ChaCha8Rng,
    pub(crate) came_at: i64,
    pub(crate) site: Site,
    pub(crate) context: Context,
    pub(crate) regressions: Regressions,
}

impl Visitor {
    pub(crate) fn new(mut random: ChaCha8Rng, came_at: i64, regressions: Regressions) -> Visitor {
        let site = weighted(&mut random, &SITES);
        let app = chance(&mut random, 0.35);
        let device = if app {
            weighted(&mut random, &[("mobile", 0.9), ("tablet", 0.1)])
        } else {
            weighted(&mut random, &[("mobile", 0.55), ("desktop", 0.38), ("tablet", 0.07)])
        };
        let known = chance(&mut random, if app { 0.8 } else { 0.45 });
        let consents = app || known || chance(&mut random, 0.6);
        let traffic = weighted(
            &mut random,
            &[(None, 0.877), (Some("human"), 0.1), (Some("bot"), 0.02), (Some("internal"), 0.003)],
        );
        let from_campaign = chance(&mut random, 0.15);
        let context = Context {
            customer_id: known.then(|| format!("c-{}", random.random_range(0..CUSTOMERS))),
            anonymous_id: (!known).then(|| fresh_id("a", came_at, &mut random)),
            session_id: Some(fresh_id("s", came_at, &mut random)),
            seq: 0,
            touchpoint: "shop",
            channel: if app { "app" } else { "web" },
            device: Some(device),
            mode: Some("self"),
            persona: Some(if known { "returning" } else { "new" }),
            member: known && chance(&mut random, 0.3),
            locale: site.locale,
            app_version: app.then(|| weighted(&mut random, &APP_VERSIONS)),
            variant: Some(if chance(&mut random, 0.5) { "A" } else { "B" }),
            campaign: from_campaign.then(|| one_of(&mut random, &CAMPAIGNS)),
            referrer: (!app && chance(&mut random, 0.3)).then(|| one_of(&mut random, &REFERRERS)),
            consents,
            traffic,
        };
        Visitor { random, came_at, site, context, regressions }
    }

    pub(crate) fn is_machine(&self) -> bool {
        self.context.traffic == Some("bot")
    }
}
