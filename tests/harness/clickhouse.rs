//! ClickHouse's HTTP interface as a test needs it: a query in, lines out.

use std::io::{BufRead, BufReader};
use std::time::Duration;

/// The way to a ClickHouse server, as one user.
#[derive(Clone, Debug)]
pub(crate) struct ClickHouse {
    agent: ureq::Agent,
    url: String,
    user: String,
    password: String,
    database: String,
}

impl ClickHouse {
    pub(crate) fn new(url: &str, user: &str, password: &str, database: &str) -> ClickHouse {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        let [url, user, password, database] = [url, user, password, database].map(str::to_owned);
        ClickHouse { agent: ureq::Agent::new_with_config(config), url, user, password, database }
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Status and body of the answer to a statement.
    pub(crate) fn ask(&self, statement: &str) -> Result<(u16, String), String> {
        let mut response = self.send(statement)?;
        let body = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        Ok((response.status().as_u16(), body))
    }

    /// The answer to a query without the line end; an error when it is not a 200.
    pub(crate) fn query(&self, query: &str) -> Result<String, String> {
        match self.ask(query)? {
            (200, body) => Ok(body.trim_end().to_owned()),
            (status, body) => Err(format!("HTTP {status} to {query}: {body}")),
        }
    }

    /// Hands out the lines of a large answer one after the other.
    pub(crate) fn lines(&self, query: &str, mut take: impl FnMut(&str)) -> Result<(), String> {
        let mut response = self.send(query)?;
        if response.status() != 200 {
            let body = response.body_mut().read_to_string().unwrap_or_default();
            return Err(format!("HTTP {} to {query}: {body}", response.status()));
        }
        let mut reader = BufReader::with_capacity(1 << 16, response.into_body().into_reader());
        let mut line = String::new();
        while reader.read_line(&mut line).map_err(|error| format!("{error} in the answer to {query}"))? > 0 {
            take(line.trim_end_matches('\n'));
            line.clear();
        }
        Ok(())
    }

    fn send(&self, statement: &str) -> Result<ureq::http::Response<ureq::Body>, String> {
        self.agent
            .post(&self.url)
            .header("x-clickhouse-user", &self.user)
            .header("x-clickhouse-key", &self.password)
            .send(statement)
            .map_err(|error| format!("{error} to {statement}"))
    }
}
