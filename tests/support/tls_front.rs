//! TLS before a server that speaks in the clear.

use std::{path::PathBuf, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::JoinHandle,
};

use super::smtp::Tls;

/// A listening front; it ends with its value.
pub struct TlsFront {
    /// `localhost:port`, the name that its certificate is for.
    pub address: String,
    /// The certificate's file.
    pub certificate: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsFront {
    /// A front of `host:port`.
    pub fn start(runtime: &Runtime, tls: Tls, target: &str) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port for the front");
        let port = listener.local_addr().expect("the front's address").port();
        let (certificate, target): (_, Arc<str>) = (tls.certificate.clone(), target.into());
        let task = runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, target) = (tls.acceptor.clone(), Arc::clone(&target));
                tokio::spawn(async move {
                    // Who does not trust it hangs up.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let Ok(mut server) = TcpStream::connect(&*target).await else { return };
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address: format!("localhost:{port}"), certificate, task }
    }
}
