//! Questions to ClickHouse by HTTP: what `server` of the client tests sends them with.

use crate::server::{PASSWORD, TestServer, WRITER};

/// A question.
pub(crate) struct Request {
    url: String,
    parameters: Vec<(&'static str, String)>,
    body: String,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        self.text.clone()
    }
}

impl Request {
    pub(crate) fn new(server: &TestServer) -> Self {
        Self { url: server.url(), parameters: Vec::new(), body: String::new() }
    }

    pub(crate) fn writer(self) -> Self {
        self.parameter("user", WRITER).parameter("password", PASSWORD)
    }

    pub(crate) fn parameter(mut self, name: &'static str, value: &str) -> Self {
        self.parameters.push((name, value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    pub(crate) fn send(self) -> Answer {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut answer =
            agent.post(&self.url).query_pairs(self.parameters).send(self.body).expect("the server answers");
        let status = answer.status().as_u16();
        let text =
            answer.body_mut().with_config().limit(100 << 20).read_to_string().expect("the answer is text");
        Answer { status, text }
    }
}
