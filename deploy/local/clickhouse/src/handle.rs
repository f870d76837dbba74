//! The flow of one request: route, authenticate, read, admit, run, answer.

use crate::admit::Admission;
use crate::authenticate::{Role, User, Users};
use crate::conduct::{Answer, BEGINNING, Conduct, SessionEnd};
use crate::engine::Engine;
use crate::error::Exception;
use crate::execute::{Job, start};
use crate::metrics::{Counted, Metrics};
use crate::multipart;
use crate::native::{FIRST_VERSION, WHOLE_TYPES};
use crate::receive::{BodyOptions, Received, receive};
use crate::request::{Request, url_parameters};
use crate::respond::{ResponseBody, ServerFacts};
use crate::session::{Lease, SessionChange, Sessions};
use crate::settings::SettingsTable;
use crate::sql::lexer::{Lexer, Token};
use crate::sql::{settings_clause, statement};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, Response, StatusCode};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Time beyond a reader's limit after which the query is given up, should the engine not have ended it.
const GRACE: Duration = Duration::from_secs(10);

/// Everything requests share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) facts: ServerFacts,
    pub(crate) users: Users,
    pub(crate) settings: SettingsTable,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) admission: Admission,
    pub(crate) metrics: Metrics,
    pub(crate) reader_seconds: u64,
    pub(crate) temporary: PathBuf,
}

impl Server {
    /// Answers any request; never fails.
    pub(crate) async fn handle(&self, request: hyper::Request<Incoming>) -> Response<ResponseBody> {
        let path = request.uri().path();
        match path {
            "/ping" | "/replicas_status" => return self.facts.plain(StatusCode::OK, "Ok.\n"),
            "/" | "/query" => {}
            _ => {
                let text = format!(
                    "There is no handle {path}\n\nUse / or /ping for health checks.\nOr /replicas_status for more sophisticated health checks.\nSend queries from your program with POST method or GET /?query=...\n"
                );
                return self.facts.plain(StatusCode::NOT_FOUND, &text);
            }
        }
        match *request.method() {
            Method::OPTIONS => return self.facts.plain(StatusCode::NO_CONTENT, ""),
            Method::GET | Method::HEAD | Method::POST | Method::PUT => {}
            _ => return self.facts.plain(StatusCode::NOT_IMPLEMENTED, "This method is not supported.\n"),
        }
        if request.uri().query().is_none_or(str::is_empty) && *request.method() != Method::POST {
            return self.facts.plain(StatusCode::OK, "Ok.\n");
        }
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let mut parameters = url_parameters(&head.uri);
        let user = match self.users.authenticate(&head.headers, &parameters) {
            Ok(user) => user,
            Err(error) => return self.facts.exception(&error, None),
        };
        let mut body = Some(body);
        if let Some(boundary) = multipart::boundary(&head.headers)
            && let Some(body) = body.take()
        {
            match self.read_fields(&head.headers, body, &boundary).await {
                Ok(fields) => parameters.extend(fields),
                Err(error) => return self.facts.exception(&error, None),
            }
        }
        let request = match Request::read(&head.method, &head.headers, &parameters) {
            Ok(request) => request,
            Err(error) => return self.facts.exception(&error, None),
        };
        let options = BodyOptions {
            query: request.query.clone(),
            framed: request.framed_body,
            may_insert: user.role == Role::Writer,
            directory: self.temporary.clone(),
        };
        let role = user.role;
        let answered = match receive(&head.headers, body, options).await {
            Ok(received) => self.run(user, &request, received).await,
            Err(error) => Err(error),
        };
        let response = match answered {
            Ok((answer, format)) => {
                if let Answer::Whole(outcome, _) = &answer {
                    self.metrics.rows_written.inc_by(outcome.written_rows);
                }
                self.facts.answer(answer, &request, &format, started)
            }
            Err(error) => self.facts.exception(&error, Some(&request)),
        };
        let code = response.headers().get("x-clickhouse-exception-code").map(HeaderValue::as_bytes);
        self.metrics.answered(role, response.status(), code, started.elapsed().as_secs_f64());
        response
    }

    async fn read_fields(
        &self,
        headers: &HeaderMap,
        body: Incoming,
        boundary: &str,
    ) -> Result<Vec<(String, String)>, Exception> {
        let options = BodyOptions {
            query: String::new(),
            framed: false,
            may_insert: false,
            directory: self.temporary.clone(),
        };
        let received = receive(headers, Some(body), options).await?;
        multipart::fields(&received.text, boundary)
    }

    async fn run(
        &self,
        user: User,
        request: &Request,
        mut received: Received,
    ) -> Result<(Answer, String), Exception> {
        let mut lease =
            request.session.as_ref().map(|session| self.sessions.lease(&user, session)).transpose()?;
        let role = user.role;
        let mut settings = lease.as_ref().map(|lease| lease.state.settings.clone()).unwrap_or_default();
        settings.extend(request.settings.iter().cloned());
        let mut parameters = lease.as_ref().map(|lease| lease.state.parameters.clone()).unwrap_or_default();
        parameters.extend(request.parameters.iter().cloned());
        let mut database = request.database.clone().or_else(|| lease.as_ref()?.state.database.clone());
        let default_format = request.default_format.clone().unwrap_or_else(|| "TabSeparated".to_owned());
        let mut format = default_format.clone();
        let mut change = None;
        if received.insert.is_none() {
            if role == Role::Reader {
                let (cleaned, pairs) = settings_clause::take_out(&received.text, &tokens(&received.text));
                received.text = cleaned;
                settings.extend(pairs);
            }
            let tokens = tokens(&received.text);
            format = statement::find_output(&tokens).format.unwrap_or(format);
            change = find_change(&tokens);
            if has_no_result(&tokens) {
                format.clear();
            }
        } else {
            format.clear();
        }
        match &change {
            Some(SessionChange::Set(pairs)) => {
                let (of_query, of_engine): (Vec<_>, Vec<_>) =
                    pairs.iter().cloned().partition(|(name, _)| name.starts_with("param_"));
                parameters.extend(
                    of_query.into_iter().map(|(name, value)| (name[6..].to_owned(), value.into_bytes())),
                );
                settings.extend(of_engine);
            }
            Some(SessionChange::Use(name)) => database = Some(name.clone()),
            None => {}
        }
        if change.is_some() {
            // The engine judges names and values when they are put on the connection; nothing else is to run.
            received.text = b"SELECT 1 FORMAT Null".to_vec();
        }
        if request.protocol_version >= FIRST_VERSION && format.eq_ignore_ascii_case("Native") {
            settings.push((WHOLE_TYPES.to_owned(), "1".to_owned()));
        }
        let settings = self.settings.admit(role, &settings)?;
        let permit = self.admission.enter(role).await?;
        let connection = self.session_connection(role, lease.as_mut()).await?;
        if connection.is_some() && database.is_none() {
            database = Some("default".to_owned());
        }
        let stale_settings = lease
            .as_mut()
            .map(|lease| {
                let now = settings.iter().map(|(name, _)| name.clone()).collect();
                std::mem::replace(&mut lease.state.stale_settings, now)
            })
            .filter(|_| connection.is_some())
            .unwrap_or_default();
        let job = Job {
            user,
            received,
            format: default_format,
            database,
            parameters,
            settings,
            reading_only: request.reading_only,
            tag: format!("touchstream-{}", uuid::Uuid::new_v4()),
            connection,
            stale_settings,
        };
        let running = start(&self.engine, job, (permit, Counted::new(&self.metrics.running)))?;
        let reader_limit = Duration::from_secs(self.reader_seconds) + GRACE;
        let conduct = Conduct {
            running,
            session: lease.map(|lease| SessionEnd { lease, change }),
            hold: if request.hold_nothing { 1 } else { BEGINNING },
            tag: request.exception_tag.clone(),
            wait_in: request.wait_for_end.then(|| self.temporary.clone()),
            deadline: (role == Role::Reader)
                .then(|| (tokio::time::Instant::now() + reader_limit, self.reader_seconds)),
        };
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(conduct.run(sender));
        let answer = receiver.await.map_err(|_| Exception::internal("the query ended without an answer"))?;
        Ok((answer, format))
    }

    /// The writer's session keeps its connection, for temporary tables; readers cannot make any.
    async fn session_connection(
        &self,
        role: Role,
        lease: Option<&mut Lease>,
    ) -> Result<Option<crate::engine::Connection>, Exception> {
        let Some(lease) = lease.filter(|_| role == Role::Writer) else { return Ok(None) };
        if let Some(connection) = lease.state.connection.take() {
            return Ok(Some(connection));
        }
        lease.state.stale_settings.clear();
        let engine = Arc::clone(&self.engine);
        let connected =
            tokio::task::spawn_blocking(move || engine.connect()).await.map_err(Exception::internal)?;
        connected.map(Some).map_err(Exception::internal)
    }
}

fn tokens(text: &[u8]) -> Vec<Token<'_>> {
    Lexer::new(text).collect()
}

/// Whether a statement has no result at all, not even an empty one: its response names no format.
fn has_no_result(tokens: &[Token<'_>]) -> bool {
    const WITHOUT: [&str; 14] = [
        "CREATE", "DROP", "ALTER", "INSERT", "TRUNCATE", "RENAME", "EXCHANGE", "SET", "USE", "OPTIMIZE",
        "ATTACH", "DETACH", "DELETE", "SYSTEM",
    ];
    tokens.first().is_some_and(|first| WITHOUT.iter().any(|word| first.is_word(word)))
}

fn find_change(tokens: &[Token<'_>]) -> Option<SessionChange> {
    statement::find_set(tokens)
        .map(SessionChange::Set)
        .or_else(|| statement::find_use(tokens).map(SessionChange::Use))
}
