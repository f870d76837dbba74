//! TLS as an operator would have it: an authority of one's own, a certificate for this machine, and a front that ends TLS before a
//! server that speaks none.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A certificate for 127.0.0.1 with its key and the authority that vouches for it, as PEM files.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes an authority and a certificate; `directory` holds nothing else.
    pub(crate) fn new(directory: &Path) -> Certificate {
        std::fs::create_dir_all(directory).expect("a directory can be made");
        std::fs::write(
            directory.join("extensions"),
            "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=critical,CA:FALSE\n",
        )
        .expect("extensions can be written");
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for arguments in [
            format!("req -x509 {key} -keyout authority.key -out authority.pem -subj /CN=authority -days 2"),
            format!("req -new {key} -keyout server.key -out server.csr -subj /CN=server"),
            "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -out server.pem -days 2 \
             -extfile extensions"
                .to_owned(),
        ] {
            let output = Command::new("openssl")
                .current_dir(directory)
                .args(arguments.split_whitespace())
                .output()
                .expect("openssl runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "openssl {arguments}: {said}");
        }
        let [authority, certificate, key] =
            ["authority.pem", "server.pem", "server.key"].map(|name| directory.join(name));
        Certificate { authority, certificate, key }
    }

    /// Key and certificate as one PEM text.
    pub(crate) fn key_and_certificate(&self) -> String {
        [&self.key, &self.certificate]
            .map(|path| std::fs::read_to_string(path).expect("it was made"))
            .concat()
    }
}

/// Takes TLS connections and hands what they carry to a server without TLS.
#[derive(Debug)]
pub(crate) struct TlsFront(Option<Runtime>);

impl TlsFront {
    /// Listens on `port` of this machine.
    pub(crate) fn start(port: u16, server: SocketAddr, certificate: &Certificate) -> TlsFront {
        let [pem, key] = [&certificate.certificate, &certificate.key]
            .map(|path| std::fs::read(path).expect("it was made"));
        let identity = native_tls::Identity::from_pkcs8(&pem, &key).expect("openssl made both");
        let acceptor = native_tls::TlsAcceptor::new(identity).expect("the certificate can be used");
        let acceptor = tokio_native_tls::TlsAcceptor::from(acceptor);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread can be started");
        let listener =
            runtime.block_on(TcpListener::bind(("127.0.0.1", port))).expect("the port was free a moment ago");
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Whoever is refused here sees its connection close, and says so.
                    if let (Ok(mut outer), Ok(mut inner)) =
                        (acceptor.accept(stream).await, TcpStream::connect(server).await)
                    {
                        copy_bidirectional(&mut outer, &mut inner).await.ok();
                    }
                });
            }
        });
        TlsFront(Some(runtime))
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
