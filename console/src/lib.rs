//! The console: one live page for people who have no Grafana, in English and German.
//!
//! The way of a number: a page opens `/api/stream` with its [`selection`] (tenant, touchpoint, channel, device, period) → [`live`] keeps one
//! watcher a selection, however many pages show it → the watcher asks the questions of [`panels`] again and again, through
//! [`database`] as the read-only user, with every choice as a parameter → answers that changed go to the pages as server-sent events.
//! The page of one [`regression`] is asked for by itself: what was found, and the numbers before and since.
//! [`assets`] serves the page itself; [`guard`] turns away what a browser would send on behalf of a foreign page.
//!
//! Promise: nothing is written anywhere, nothing is asked of other hosts, and what viewers cost is bounded: pages, selections, the size of
//! an answer and the time for it.

mod assets;
mod database;
mod error;
mod guard;
mod live;
mod metrics;
mod panels;
mod regression;
mod route;
mod selection;
mod serve;

pub use error::ConsoleError;
pub use serve::serve;
