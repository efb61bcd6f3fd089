//! Large bodies, in both directions: sent and received in pieces, with a bar on a terminal.

use std::io::IsTerminal;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use indicatif::{ProgressBar, ProgressStyle};

use crate::patience::{Moved, Patience};

/// Smaller bodies are through before anybody looks.
const SHOWN_FROM: u64 = 4 << 20;
const PIECE: usize = 256 << 10;
const STYLE: &str = "{msg} {bytes}/{total_bytes} [{bar:30}] {bytes_per_sec}, {eta} left";
const STYLE_WITHOUT_END: &str = "{msg} {bytes}, {bytes_per_sec}";

/// A body that is sent piece by piece. Its length is said before, so that the host can refuse it before it has come.
#[derive(Debug)]
pub(crate) struct Upload {
    left: Bytes,
    bar: Bar,
    moved: Moved,
}

/// A bar on a terminal, or nothing.
#[derive(Debug)]
struct Bar(Option<ProgressBar>);

/// A whole answer, or why there is none.
pub(crate) async fn receive(
    mut body: Incoming,
    patience: Patience,
    broken: impl Fn(&hyper::Error) -> String,
) -> Result<Bytes, String> {
    let length = body.size_hint().exact();
    let (mut bar, mut received) = (Bar::new("receiving", length), Vec::new());
    while let Some(frame) = patience.receiving(body.frame()).await.map_err(|late| late.to_string())? {
        let Ok(piece) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        received.extend_from_slice(&piece);
        bar.more(piece.len(), received.len() as u64, length);
    }
    Ok(received.into())
}

// === impl Upload ===

impl Upload {
    /// Each piece that goes is added to `moved`.
    pub(crate) fn new(body: Vec<u8>, moved: Moved) -> Self {
        let bar = Bar::new("sending", Some(body.len() as u64));
        Self { left: body.into(), bar, moved }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(PIECE);
        let piece = self.left.split_to(length);
        self.moved.more(length);
        if let Some(bar) = &self.bar.0 {
            bar.inc(length as u64);
            if self.left.is_empty() {
                // What the host makes of it takes a time of its own.
                bar.set_message("sent; the host is at it:");
            }
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

// === impl Bar ===

impl Bar {
    fn new(what: &'static str, length: Option<u64>) -> Self {
        let is_shown = length.is_some_and(|length| length >= SHOWN_FROM) && std::io::stderr().is_terminal();
        Self(is_shown.then(|| shown(what, length)))
    }

    /// Of an answer whose length is not said, the bar comes when it gets large.
    fn more(&mut self, bytes: usize, in_sum: u64, length: Option<u64>) {
        match &self.0 {
            Some(bar) => bar.inc(bytes as u64),
            None if length.is_none() && in_sum >= SHOWN_FROM && std::io::stderr().is_terminal() => {
                let bar = shown("receiving", None);
                bar.inc(in_sum);
                self.0 = Some(bar);
            }
            None => {}
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn shown(what: &'static str, length: Option<u64>) -> ProgressBar {
    let (bar, style) = match length {
        Some(length) => (ProgressBar::new(length), STYLE),
        None => (ProgressBar::no_length(), STYLE_WITHOUT_END),
    };
    // The default would do for a template that could not be read.
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_in_pieces_and_arrives_whole() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE - 1] {
            let sent: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut body = Upload::new(sent.clone(), Moved::default());
            assert_eq!(body.size_hint().exact(), Some(length as u64));
            let mut received = Vec::new();
            while let Some(frame) = runtime.block_on(body.frame()) {
                let piece = frame.unwrap().into_data().unwrap();
                assert!(!piece.is_empty() && piece.len() <= PIECE);
                received.extend_from_slice(&piece);
            }
            assert_eq!(received, sent);
            assert!(body.is_end_stream());
        }
    }

    #[test]
    fn the_templates_can_be_read() {
        for template in [STYLE, STYLE_WITHOUT_END] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
