//! Both ends of alerting: what services say on `/metrics`, and what people receive, by webhook and by mail.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Default)]
struct Heard {
    metrics: String,
    pages: Vec<(String, Value)>,
    mails: Vec<(String, String)>,
}

type Shared = Arc<Mutex<Heard>>;

/// Services and people of a test.
pub(crate) struct People {
    pub(crate) web: SocketAddr,
    pub(crate) mail: SocketAddr,
    heard: Shared,
}

impl People {
    pub(crate) async fn start() -> People {
        let heard = Shared::default();
        let routes = Router::new()
            .route("/metrics", get(async |State(heard): State<Shared>| lock(&heard).metrics.clone()))
            .route(
                "/page/{who}",
                post(
                    async |State(heard): State<Shared>, Path(who): Path<String>, Json(page): Json<Value>| {
                        lock(&heard).pages.push((who, page));
                    },
                ),
            )
            .with_state(Arc::clone(&heard));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let web = listener.local_addr().expect("a bound address");
        tokio::spawn(async { axum::serve(listener, routes).await });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mail = listener.local_addr().expect("a bound address");
        let box_of_all = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(receive(connection, Arc::clone(&box_of_all)));
            }
        });
        People { web, mail, heard }
    }

    /// From now on the services say this.
    pub(crate) fn say(&self, metrics: String) {
        lock(&self.heard).metrics = metrics;
    }

    /// What came to a pager, in order.
    pub(crate) fn pages(&self, who: &str) -> Vec<Value> {
        lock(&self.heard).pages.iter().filter(|(to, _)| to == who).map(|(_, page)| page.clone()).collect()
    }

    /// What came to an address, in order.
    pub(crate) fn mails(&self, who: &str) -> Vec<String> {
        lock(&self.heard)
            .mails
            .iter()
            .filter(|(to, _)| to.contains(who))
            .map(|(_, mail)| mail.clone())
            .collect()
    }
}

fn lock(heard: &Shared) -> MutexGuard<'_, Heard> {
    heard.lock().expect("nobody panics while holding it")
}

/// As much of SMTP as takes a mail.
async fn receive(connection: TcpStream, heard: Shared) -> Option<()> {
    let (read, mut write) = connection.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 test\r\n").await.ok()?;
    let (mut to, mut mail) = (String::new(), None::<String>);
    while let Some(line) = lines.next_line().await.ok()? {
        let answer = match &mut mail {
            Some(text) if line == "." => {
                lock(&heard).mails.push((std::mem::take(&mut to), decoded(text)));
                mail = None;
                "250 taken\r\n"
            }
            Some(text) => {
                text.push_str(&line);
                text.push_str("\r\n");
                continue;
            }
            None if line == "DATA" => {
                mail = Some(String::new());
                "354 go on\r\n"
            }
            None if line == "QUIT" => "221 bye\r\n",
            None => {
                if line.starts_with("RCPT") {
                    to.push_str(&line);
                }
                "250 well\r\n"
            }
        };
        write.write_all(answer.as_bytes()).await.ok()?;
    }
    Some(())
}

/// Quoted-printable as far as Alertmanager needs it.
fn decoded(text: &str) -> String {
    text.replace("=\r\n", "").replace("=3D", "=").replace("=20", " ")
}
