//! What on-call receives, with the real Prometheus and Alertmanager and the files of `deploy/prometheus`: one message for what begins together, in words;
//! nothing again after both were restarted; one message when it is over; nothing of customers while the pipeline is ill.
//!
//! The servers run on what a service would say on `/metrics`. Only addresses and waiting times of their configuration are changed.

mod people;
mod servers;

use std::time::{Duration, Instant};

use people::People;
use serde_json::Value;
use servers::Servers;

use crate::repository::{list, string};

const PATIENCE: Duration = Duration::from_secs(90);

/// A regression of the touchpoint's owner.
fn regression(rule: &str, touchpoint: &str, severity: &str, owner: &str, is_active: bool) -> String {
    let labels = format!(
        "{{tenant=\"shop\",rule=\"{rule}\",touchpoint=\"{touchpoint}\",channel=\"web\",severity=\"{severity}\",owner=\"{owner}\"}}"
    );
    format!(
        "touchstream_cx_regression_active{labels} {}\ntouchstream_cx_regression_value{labels} 0.42\ntouchstream_cx_regression_baseline{labels} 0.06\n\
         touchstream_cx_regression_samples{labels} 300\n",
        u8::from(is_active)
    )
}

/// Two pages and a ticket of one touchpoint, and perhaps a page of somebody else.
fn said(checkout: bool, marker: bool, spool_age: u32) -> String {
    [
        regression("drop_off_rose", "checkout", "page", "team-checkout", checkout),
        regression("error_rate_rose", "checkout", "page", "team-checkout", checkout),
        regression("nps_fell", "checkout", "ticket", "team-checkout", checkout),
        regression("touchpoint_silent", "marker", "page", "somebody else", marker),
        format!("touchstream_ingest_spool_oldest_seconds {spool_age}\n"),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_call_hears_of_a_regression_once_and_once_of_its_end() {
    let people = People::start().await;
    let mut servers = Servers::start(&people, &people.web.to_string(), &[]);

    people.say(said(false, false, 0));
    servers.scraped("touchstream_cx_regression_active").await;
    assert!(people.pages("team-checkout").is_empty());

    // It begins: one message with both, in words.
    let begun = Instant::now();
    people.say(said(true, false, 0));
    wait("a page", || !people.pages("team-checkout").is_empty()).await;
    eprintln!("the page came {:.1} s after the gauge", begun.elapsed().as_secs_f64());
    let page = people.pages("team-checkout").remove(0);
    assert_eq!(page["status"], "firing");
    assert_eq!(names(&page), ["CxDropOffRose", "CxErrorsRose"]);
    let alert = &list(&page, "alerts")[0];
    let told = |name: &str| string(&alert["annotations"], name).to_owned();
    assert_eq!(told("summary"), "Checkout drop-off rose: checkout (web), tenant shop");
    assert_eq!(told("description"), "From 6% to 42%, on 300 checkouts. Owner: team-checkout.");
    assert!(told("runbook_url").ends_with("docs/runbooks/CxDropOffRose.md"));
    assert!(
        told("dashboard_url")
            .ends_with("/d/touchstream-checkout?var-tenant=shop&var-touchpoint=checkout&var-channel=web")
    );
    assert!(string(alert, "startsAt").starts_with("20"));
    assert!(alert["labels"]["grafana"].is_null(), "addresses are no labels");
    // Who is paged for a touchpoint gets no ticket for it.
    wait_for(&servers, "the ticket to be silent", "CxNpsFell", "suppressed").await;
    // The same by mail, for eyes.
    wait("a mail", || !people.mails("checkout@example.com").is_empty()).await;
    let mail = people.mails("checkout@example.com").remove(0);
    assert!(
        mail.contains("Subject: [PAGE] Checkout drop-off rose: checkout (web), tenant shop (2 alerts)"),
        "{mail}"
    );
    assert!(mail.contains("From 6% to 42%, on 300 checkouts. Owner: team-checkout.\r\n  Since 20"), "{mail}");

    // Both servers go and come back, one after the other. What comes after them shows that they had time to repeat themselves.
    servers.restart_prometheus().await;
    servers.restart_alertmanager().await;
    wait_for(&servers, "the alerts to be known again", "CxDropOffRose", "active").await;
    people.say(said(true, true, 0));
    wait("somebody else's page", || !people.pages("cx").is_empty()).await;
    assert_eq!(people.pages("team-checkout").len(), 1, "a restart repeats nothing");

    // Over: one message, for both.
    people.say(said(false, true, 0));
    wait("the end", || people.pages("team-checkout").iter().any(|page| page["status"] == "resolved")).await;
    people.say(said(false, false, 0));
    wait("the other's end", || people.pages("cx").iter().any(|page| page["status"] == "resolved")).await;
    let ends = people.pages("team-checkout");
    let resolved: Vec<&Value> = ends.iter().filter(|page| page["status"] == "resolved").collect();
    assert_eq!(resolved.len(), 1, "{ends:?}");
    assert_eq!(names(resolved[0]), ["CxDropOffRose", "CxErrorsRose"]);
    assert_eq!(people.pages("cx").len(), 2);

    // The spool is old: the pipeline alone is told, though a regression comes with it.
    people.say(said(false, false, 4_000));
    wait("the pipeline's page", || !people.pages("platform").is_empty()).await;
    assert_eq!(names(&people.pages("platform")[0]), ["TouchstreamSpoolOld"]);
    people.say(said(true, false, 4_000));
    wait_for(&servers, "the regression to be silent", "CxDropOffRose", "suppressed").await;
    let before = people.pages("team-checkout").len();
    // It is well again, and the regression is still there: now it is told.
    people.say(said(true, false, 0));
    wait("the page after it", || people.pages("team-checkout").len() > before).await;
    assert_eq!(people.pages("team-checkout").last().expect("a page")["status"], "firing");
    wait("the pipeline's end", || people.pages("platform").iter().any(|page| page["status"] == "resolved"))
        .await;
}

/// Names of a message's alerts, in order.
fn names(page: &Value) -> Vec<String> {
    let mut names: Vec<String> =
        list(page, "alerts").iter().map(|alert| string(&alert["labels"], "alertname").to_owned()).collect();
    names.sort();
    names
}

async fn wait(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until Alertmanager has an alert in a state.
async fn wait_for(servers: &Servers, what: &str, alert: &str, state: &str) {
    let begun = Instant::now();
    loop {
        let known = servers.alerts().await;
        if known
            .iter()
            .any(|known| known["labels"]["alertname"] == alert && known["status"]["state"] == state)
        {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not come: {known:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
