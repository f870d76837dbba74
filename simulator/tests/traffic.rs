//! What the simulated customers promise: the same seed gives the same bytes, and they behave as the published figures say.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use touchstream_simulator::{Destination, Plan, SimulateOptions, generate};

const DAY: i64 = 86_400_000;
/// 2026-11-23, a Monday.
const MONDAY: i64 = 1_795_392_000_000;

fn plan(change: impl FnOnce(&mut SimulateOptions)) -> Plan {
    let mut options = SimulateOptions::new(Destination::File("-".into()));
    options.days = Some(1);
    options.start = Some(MONDAY);
    change(&mut options);
    options.plan(MONDAY + DAY).expect("the options are valid")
}

fn events(plan: &Plan) -> Vec<Value> {
    generate(plan).map(|event| serde_json::from_str(&event.json).expect("every event is JSON")).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let lines = |seed| -> Vec<String> {
        let plan = plan(|options| {
            options.seed = seed;
            options.events_per_day = Some(20_000);
            options.disorder_s = 10;
            options.late_share = 0.01;
            options.duplicate_share = 0.05;
        });
        generate(&plan).map(|event| event.json).collect()
    };
    assert_eq!(lines(7), lines(7));
    assert_ne!(lines(7)[..100], lines(8)[..100]);
}

#[test]
fn every_day_of_the_week_has_its_volume_and_rhythm() {
    for weekday in 0..7 {
        let plan = plan(|options| options.start = Some(MONDAY + weekday * DAY));
        let mut by_hour = [0_usize; 24];
        let mut latest = i64::MIN;
        for event in generate(&plan) {
            assert!(event.arrival >= latest, "events come in order of arrival");
            assert!((plan.from..plan.from + DAY).contains(&event.time));
            latest = event.arrival;
            by_hour[usize::try_from((event.time - plan.from) / 3_600_000).expect("within the day")] += 1;
        }
        let total: usize = by_hour.iter().sum();
        assert!((210_000..290_000).contains(&total), "weekday {weekday}: {total} events");
        assert!(by_hour[19] > 8 * by_hour[3], "the evening is busy, the night is not: {by_hour:?}");
    }
}

#[test]
fn disorder_lateness_and_copies_are_as_ordered() {
    let plan = plan(|options| {
        options.events_per_day = Some(100_000);
        options.disorder_s = 10;
        options.late_share = 0.01;
        options.duplicate_share = 0.05;
    });
    let (mut ids, mut late, mut total) = (HashMap::new(), 0_usize, 0_usize);
    for event in generate(&plan) {
        let value: Value = serde_json::from_str(&event.json).expect("every event is JSON");
        assert!(value.get("sent_at").is_none(), "history carries no sent_at");
        let first = *ids.entry(value["id"].to_string()).or_insert(event.arrival);
        assert!(event.arrival - first < 60_000, "a copy follows within a minute");
        total += 1;
        late += usize::from(event.arrival - event.time > 70_000);
        assert!((-10_000..3 * 3_600_000 + 60_000).contains(&(event.arrival - event.time)));
    }
    let share = |part: usize| part as f64 / ids.len() as f64;
    assert!((0.006..0.014).contains(&share(late)), "late: {late} of {total}");
    assert!((0.045..0.055).contains(&share(total - ids.len())), "copies: {}", total - ids.len());
}

#[test]
fn people_leave_their_carts_as_the_published_figures_say() {
    let (mut started, mut bought, mut met) = (HashSet::new(), HashSet::new(), HashMap::new());
    let mut transactions = HashSet::new();
    for event in events(&plan(|_| {})) {
        let Some(checkout) = event["data"]["checkout_id"].as_str().map(str::to_owned) else { continue };
        match event["type"].as_str().expect("a type is text") {
            "checkout.started" => _ = started.insert(checkout),
            "checkout.completed" => {
                transactions.insert(event["data"]["transaction_id"].to_string());
                bought.insert(checkout);
            }
            "checkout.friction" => {
                let kind = event["data"]["kind"].as_str().expect("a kind is text").to_owned();
                met.entry(kind).or_insert_with(HashSet::new).insert(checkout);
            }
            _ => {}
        }
    }
    let left: HashSet<_> = started.difference(&bought).collect();
    let abandoned = left.len() as f64 / started.len() as f64;
    assert!((0.68..0.72).contains(&abandoned), "{abandoned} of the carts are abandoned");
    assert!(transactions.len() > bought.len(), "some buy twice");
    // An obstacle is met only by those who get as far as its step; the share at the first one is the published share itself.
    let share =
        |kind: &str| met[kind].iter().filter(|one| left.contains(one)).count() as f64 / left.len() as f64;
    assert!(share("extra_cost") > share("too_long") && share("account_required") > share("total_hidden"));
}

#[test]
fn service_and_surveys_have_every_shape() {
    let events = events(&plan(|_| {}));
    let count = |accept: &dyn Fn(&Value) -> bool| events.iter().filter(|event| accept(event)).count();
    let of = |kind: &'static str| move |event: &Value| event["type"] == kind;
    for kind in
        ["chat.handoff", "chat.call", "feedback.follow_up", "feedback.dismissed", "app.order", "app.error"]
    {
        assert!(count(&of(kind)) > 50, "{kind}");
    }
    assert!(count(&|event| event["data"]["state"] == "reopened") > 50);
    assert!(count(&|event| event["data"]["public"] == false) > 50);
    assert!(count(&|event| event["context"]["traffic"] == "bot") > 500);
    for (field, least) in [("answer_id", 500), ("reasked_field", 50), ("fallback", 500)] {
        assert!(count(&|event| !event["data"][field].is_null()) > least, "{field}");
    }
    let requested = |by: &'static str| move |event: &Value| event["data"]["requested_by"] == by;
    assert!(count(&requested("customer")) > 50 && count(&requested("bot")) > 50);
    let mut answers: HashMap<&str, Vec<&Value>> = HashMap::new();
    for event in events.iter().filter(|event| event["data"]["sender"] == "bot") {
        let conversation = event["data"]["conversation_id"].as_str().expect("it belongs to one");
        answers.entry(conversation).or_default().push(&event["data"]["answer_id"]);
    }
    let is_loop = |three: &[&Value]| !three[0].is_null() && three.iter().all(|answer| *answer == three[0]);
    let stuck = answers.values().filter(|answers| answers.windows(3).any(is_loop)).count();
    assert!(stuck > 20, "{stuck} bots are stuck");
    let scores = |survey: &str| -> Vec<i64> {
        let answers = events.iter().filter(|event| event["data"]["survey_id"] == survey);
        answers.filter_map(|event| event["data"]["score"].as_i64()).collect()
    };
    for survey in ["nps-checkout", "nps-support"] {
        let scores = scores(survey);
        assert!(scores.len() > 300, "{survey}: {}", scores.len());
        for class in [0..=6_i64, 7..=8, 9..=10] {
            assert!(scores.iter().filter(|score| class.contains(*score)).count() * 10 > scores.len());
        }
    }
}

#[test]
fn live_traffic_has_its_rate_from_the_first_second() {
    let mut options = SimulateOptions::new(Destination::File("-".into()));
    options.rate = Some(50.0);
    let plan = options.plan(MONDAY).expect("the options are valid");
    let minutes: Vec<_> = generate(&plan).take_while(|event| event.arrival < MONDAY + 600_000).collect();
    assert!((24_000..36_000).contains(&minutes.len()), "{} events in ten minutes", minutes.len());
    assert!(minutes.iter().all(|event| event.time >= MONDAY), "nothing is of the time before");
}

#[test]
fn history_goes_over_into_live_traffic_each_with_its_own_volume() {
    let mut options = SimulateOptions::new(Destination::File("-".into()));
    (options.days, options.events_per_day, options.rate) = (Some(2), Some(50_000), Some(20.0));
    let now = MONDAY + 3 * DAY;
    let plan = options.plan(now).expect("the options are valid");
    let (mut history, mut live) = (0_usize, 0_usize);
    for event in generate(&plan).take_while(|event| event.arrival < now + 600_000) {
        let is_live = event.arrival >= now;
        *(if is_live { &mut live } else { &mut history }) += 1;
    }
    // The last 40 minutes of history have the people who make up the first live minutes.
    assert!((80_000..190_000).contains(&history), "{history} events in two days of history");
    assert!((9_000..15_000).contains(&live), "{live} live events in ten minutes");
}

/// The same customers with and without what goes wrong, on one day, from noon on.
#[test]
fn what_goes_wrong_shows_where_it_should_and_nowhere_else() {
    const NOON: i64 = MONDAY + DAY / 2;
    let day = |order: &str| {
        events(&plan(|options| {
            options.events_per_day = Some(100_000);
            options.regressions =
                order.split_whitespace().map(|order| order.parse().expect("it is an order")).collect();
        }))
    };
    let is_late = |event: &Value| {
        let time: jiff::Timestamp = event["time"].as_str().expect("a time").parse().expect("a time");
        time.as_millisecond() >= NOON
    };
    let count = |events: &[Value], late: bool, wanted: &dyn Fn(&Value) -> bool| {
        events.iter().filter(|event| is_late(event) == late && wanted(event)).count()
    };
    let share =
        |events: &[Value], late: bool, part: &dyn Fn(&Value) -> bool, whole: &dyn Fn(&Value) -> bool| {
            count(events, late, &|event| whole(event) && part(event)) as f64
                / count(events, late, whole) as f64
        };
    let usual = day("");

    let of = |device: &'static str| move |event: &Value| event["context"]["device"] == device;
    let (mobile, desktop) = (of("mobile"), of("desktop"));
    let checkout =
        |event: &Value| ["checkout.started", "checkout.completed"].iter().any(|kind| event["type"] == *kind);
    let bought = |event: &Value| event["type"] == "checkout.completed";
    let failing = day("payment-errors@+12h");
    let change = |of: &dyn Fn(&Value) -> bool, late| {
        let whole = |event: &Value| checkout(event) && of(event);
        share(&failing, late, &bought, &whole) / share(&usual, late, &bought, &whole)
    };
    assert!(change(&mobile, true) < 0.6, "mobile buyers fail: {}", change(&mobile, true));
    assert!((0.97..1.03).contains(&change(&desktop, true)) && (0.97..1.03).contains(&change(&mobile, false)));

    let answered = |event: &Value| event["data"]["metric"] == "nps";
    let unhappy = |event: &Value| event["data"]["score"].as_i64().is_some_and(|score| score <= 6);
    let unhappier = day("nps-fall@+12h");
    assert!(share(&unhappier, true, &unhappy, &answered) > share(&usual, true, &unhappy, &answered) + 0.2);
    assert_eq!(
        unhappier.iter().filter(|event| event["type"] == "app.change").count(),
        1,
        "a release was told"
    );

    let silent = day("silent-touchpoint@+12h");
    let outlet = |event: &Value| event["context"]["touchpoint"] == "outlet-checkout";
    // Who was there when it fell silent goes another way from then on, and may return to before noon by a moment.
    let before = count(&silent, false, &outlet).abs_diff(count(&usual, false, &outlet));
    assert!(count(&silent, true, &outlet) == 0 && before < 10, "{before}");

    // After an outage everything is there, only later.
    let ids = |events: &[Value]| events.iter().map(|event| event["id"].to_string()).collect::<HashSet<_>>();
    assert_eq!(ids(&day("ingest-outage@+12h")), ids(&usual));
    let outage = "ingest-outage@+12h/1h".parse().expect("it is an order");
    let with_outage = plan(|options| options.regressions = vec![outage]);
    assert!(
        generate(&with_outage).all(|event| !(NOON..NOON + 3_600_000).contains(&event.arrival)),
        "nothing arrives"
    );
}
