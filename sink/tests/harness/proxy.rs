//! A proxy before ClickHouse that swallows or holds answers: the insert was applied, and the sink does not hear of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The proxy, for as long as the test runs.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) port: u16,
    per_mille: Arc<AtomicU32>,
    swallowed: Arc<AtomicUsize>,
    holds: Arc<AtomicBool>,
    held: Arc<AtomicUsize>,
}

impl Proxy {
    /// Forwards to a port of this machine.
    pub(crate) async fn start(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let proxy = Proxy {
            port,
            per_mille: Arc::default(),
            swallowed: Arc::default(),
            holds: Arc::default(),
            held: Arc::default(),
        };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = serving.clone();
                tokio::spawn(async move { proxy.forward(client, target).await });
            }
        });
        proxy
    }

    /// Swallows so many of a thousand answers to inserts.
    pub(crate) fn swallow(&self, per_mille: u32) {
        self.per_mille.store(per_mille, Ordering::Relaxed);
    }

    /// Answers swallowed so far.
    pub(crate) fn swallowed(&self) -> usize {
        self.swallowed.load(Ordering::Relaxed)
    }

    /// Holds answers to inserts until their connection ends, or does so no longer.
    pub(crate) fn hold(&self, holds: bool) {
        self.held.store(0, Ordering::Relaxed);
        self.holds.store(holds, Ordering::Relaxed);
    }

    /// Answers held since.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns, and so closes both connections, at the end of either or when an answer is swallowed.
    async fn forward(&self, mut client: TcpStream, target: u16) {
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
        let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut is_insert = false;
        loop {
            tokio::select! {
                read = client.read(&mut request) => {
                    let Ok(length @ 1..) = read else { return };
                    let bytes = &request[..length];
                    is_insert |= bytes.starts_with(b"POST") && bytes.windows(6).take(4_096).any(|word| word == b"INSERT");
                    if server.write_all(bytes).await.is_err() { return }
                }
                read = server.read(&mut answer) => {
                    let Ok(length @ 1..) = read else { return };
                    if is_insert && self.holds.load(Ordering::Relaxed) {
                        self.held.fetch_add(1, Ordering::Relaxed);
                        while matches!(client.read(&mut request).await, Ok(1..)) {}
                        return;
                    }
                    // The first always: a short run proves something only with one.
                    let per_mille = self.per_mille.load(Ordering::Relaxed);
                    let is_first = per_mille > 0 && self.swallowed() == 0;
                    if is_insert && (is_first || rand::random_range(0..1_000) < per_mille) {
                        self.swallowed.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    is_insert = false;
                    if client.write_all(&answer[..length]).await.is_err() { return }
                }
            }
        }
    }
}
