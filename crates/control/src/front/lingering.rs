//! Closing a connection so that its last answer arrives.
//!
//! A socket closed with something unread resets the connection, and the reset overtakes the answer: who
//! is still sending what is refused would learn of a broken pipe and not of the reason. So a socket comes
//! back here from whoever served it, and what its peer still sends is read and forgotten, within bounds.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Who sends nothing for so long has read the answer, or won't.
const SILENCE: Duration = Duration::from_secs(2);
/// So long, and so much, is read and forgotten at most.
const TIME: Duration = Duration::from_secs(30);
const BYTES: usize = 64 * 1024 * 1024;

/// A socket on loan: dropped, it goes back to the lender, unless its peer has ended already.
#[derive(Debug)]
pub(crate) struct Lent {
    socket: Option<TcpStream>,
    back: Option<oneshot::Sender<TcpStream>>,
}

/// Lends `socket`. It comes back if there is still something to wait for.
pub(crate) fn lend(socket: TcpStream) -> (Lent, oneshot::Receiver<TcpStream>) {
    let (back, returned) = oneshot::channel();
    (Lent { socket: Some(socket), back: Some(back) }, returned)
}

impl Lent {
    fn socket(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.socket.as_mut().expect("a socket is there until the drop"))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(socket), Some(back)) = (self.socket.take(), self.back.take()) {
            // Nobody waits for it when the server goes down.
            let _ = back.send(socket);
        }
    }
}

/// Ends our side, and reads until the peer ends its own.
pub(crate) async fn linger(mut socket: TcpStream) {
    let _ = timeout(TIME, async {
        socket.shutdown().await?;
        let (mut rest, mut left) = (vec![0; 16 * 1024], BYTES);
        while left > 0 {
            match timeout(SILENCE, socket.read(&mut rest)).await {
                Ok(Ok(read)) if read > 0 => left = left.saturating_sub(read),
                _ => break,
            }
        }
        io::Result::Ok(())
    })
    .await;
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(self.socket().poll_read(cx, buffer));
        let ended = buffer.filled().len() == before && buffer.remaining() > 0;
        if read.is_err() || ended {
            self.back = None;
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Lent {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_shutdown(cx)
    }
}
