//! The example is valid and means what it says; a mistake names its line.

use jiff::civil::date;

use super::*;

const EXAMPLE: &str = include_str!("../../../deploy/config/touchpoints.toml");
const DEMO: &str = include_str!("../../../deploy/config/demo-touchpoints.toml");

#[test]
fn the_example_is_read() {
    let known = Touchpoints::parse("touchpoints.toml", EXAMPLE).expect("the example is valid");
    let checkout = known.touchpoint("shop", "checkout").expect("it is listed");
    assert_eq!(
        (checkout.owner.as_deref(), checkout.stage.as_deref(), checkout.importance),
        (Some("team-checkout"), Some("purchase"), 5)
    );
    assert_eq!((checkout.slo_first_response_s, checkout.steps.as_ref().map(Vec::len)), (None, Some(6)));
    let support = known.touchpoint("shop", "support").expect("it is listed");
    assert_eq!(support.slo_first_response_s, Some(180));
    assert_eq!(known.dimensions("shop"), [FurtherDimension::Variant]);
    assert_eq!((known.dimensions("other"), known.service_times("other", "support")), (&[][..], None));
}

#[test]
fn the_demo_watches_every_touchpoint_and_rules_are_stated_by_it() {
    let known = Touchpoints::parse("demo-touchpoints.toml", DEMO).expect("the demo is valid");
    let demo = known.tenant("demo").expect("it is listed");
    assert!(demo.touchpoints.values().all(|touchpoint| touchpoint.is_monitored));
    let rules = &known.touchpoint("demo", "checkout").expect("it is listed").rules;
    let stated = RuleSettings { is_on: true, min_samples: Some(60), min_effect: None };
    assert_eq!(rules.iter().collect::<Vec<_>>(), [(&"drop_off_rose".to_owned(), &stated)]);
}

#[test]
fn what_a_touchpoint_leaves_out_is_its_tenants() {
    let known = Touchpoints::parse("touchpoints.toml", EXAMPLE).expect("the example is valid");
    let span = |from_minute, to_minute| ServiceSpan { from_minute, to_minute };
    let times = |touchpoint: &str| known.service_times("shop", touchpoint).expect("hours are stated");
    let (monday, saturday, christmas) = (date(2026, 11, 23), date(2026, 11, 28), date(2026, 12, 25));
    for touchpoint in ["checkout", "not listed"] {
        assert_eq!(times(touchpoint).on(monday), [span(8 * 60, 20 * 60)]);
        assert_eq!(times(touchpoint).on(saturday), [span(10 * 60, 16 * 60)]);
    }
    assert_eq!(times("support").on(saturday), [span(7 * 60, 24 * 60)]);
    assert_eq!(times("support").on(christmas), [], "holidays are the tenant's");
    assert_eq!(times("support").time_zone().iana_name(), Some("Europe/Berlin"));
    let holidays_only = "[tenants.t]\nholidays = [\"2026-12-25\"]\n";
    let known = Touchpoints::parse("file", holidays_only).expect("it is valid");
    let times = known.service_times("t", "any").expect("there are holidays");
    assert_eq!((times.on(christmas), times.on(monday)), (&[][..], &[span(0, 1440)][..]));
}

#[test]
fn a_mistake_names_its_line() {
    let begin = "[tenants.shop]\n\n[tenants.shop.touchpoints.checkout]\n";
    for (mistake, line, expected) in [
        ("[tenants.shop\n", 1, ""),
        ("[tenants.shop]\ntimezone = \"UTC\"\n", 2, "timezone"),
        ("[tenants.shop]\ntime_zone = \"Europe/Bonn\"\n", 2, "Europe/Bonn"),
        ("[tenants.shop]\ndimensions = [\n  \"persona\",\n  \"mood\",\n]\n", 4, "mood"),
        ("[tenants.shop]\ndimensions = [\n  \"persona\",\n  \"persona\",\n]\n", 4, "once"),
        ("[tenants.shop]\nholidays = [\n  \"2026-02-30\"\n]\n", 3, "2026-02-30"),
        ("[tenants.shop]\n[tenants.shop.touchpoints.all]\n", 2, "reserved"),
        (&format!("{begin}importance = 6\n"), 4, "1 (least) to 5"),
        (&format!("{begin}importance = \"high\"\n"), 4, "invalid type"),
        (&format!("{begin}owner = \"\"\n"), 4, "expected a name"),
        (&format!("{begin}runbook = \"wiki\"\n"), 4, "https://"),
        (&format!("{begin}monitored = true\n"), 4, "needs an owner"),
        (&format!("{begin}[tenants.shop.touchpoints.checkout.rules.nps]\n"), 4, "nps_fell, drop_off_rose"),
        (&format!("{begin}rules.nps_fell.min_samples = 5\n"), 4, "10 to 1000000"),
        (&format!("{begin}\nrules.nps_fell.min_effect = 0.1\n"), 5, "points, from 1"),
        (&format!("{begin}rules.drop_off_rose.min_effect = 5\n"), 4, "0.05 is 5"),
        (&format!("{begin}rules.touchpoint_silent.min_effect = 0.1\n"), 4, "no min_effect"),
        (&format!("{begin}rules.touchpoint_silent.on = false\n"), 4, "enabled"),
        (&format!("{begin}slo_first_response_s = 0\n"), 4, "30 days"),
        (&format!("{begin}steps = [\n  \"cart\",\n  \"cart\",\n]\n"), 6, "twice"),
        (&format!("{begin}service_hours = [\"mon-fri 9-18\"]\n"), 4, "mon-fri 09:00-18:00"),
        (&format!("{begin}service_hours = [\"mon 22:00-06:00\"]\n"), 4, "two parts"),
        (
            &format!("{begin}service_hours = [\n\"mon-fri 08:00-12:00\",\n\"fri 11:00-13:00\"]\n"),
            6,
            "overlaps",
        ),
    ] {
        let error = Touchpoints::parse("file.toml", mistake).expect_err(mistake).to_string();
        assert!(
            error.contains(&format!("file.toml line {line}: ")) && error.contains(expected),
            "{mistake}: {error}"
        );
    }
}
