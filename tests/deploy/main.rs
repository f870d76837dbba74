//! What operators run beside touchstream, tried with the real tools: Grafana's dashboards on a simulated month, the rules of Prometheus and
//! Alertmanager, and what on-call receives.

mod alerting;
mod curl;
mod dashboards;
mod macros;
mod metrics;
mod month;
mod prometheus;
mod repository;
mod schema;

#[path = "../harness/install.rs"]
mod install;
#[path = "../clients/server.rs"]
#[expect(dead_code, reason = "these tests kill no server")]
mod server;
