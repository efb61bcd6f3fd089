//! An answer that goes on, line by line.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};

use crate::patience::Patience;

/// A line that is longer is not the host's: records are bounded.
const MAX_LINE: usize = 16 << 20;

/// Hands over each line, without its end, until there is none or `each` has had enough.
pub(super) async fn lines<B>(
    body: B,
    patience: Option<Patience>,
    mut each: impl FnMut(&str) -> bool,
) -> Result<(), String>
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    let mut body = body;
    let mut unread = Vec::new();
    loop {
        let frame = match patience {
            Some(patience) => patience.receiving(body.frame()).await.map_err(|late| late.to_string())?,
            None => body.frame().await,
        };
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
        let Ok(bytes) = frame.into_data() else { continue };
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = String::from_utf8_lossy(&unread);
                    if !each(line.trim_end_matches('\r')) {
                        return Ok(());
                    }
                    unread.clear();
                }
                _ if unread.len() == MAX_LINE => return Err("the answer has a line that is too long".to_owned()),
                other => unread.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn lines_are_handed_over_until_there_are_enough() {
        let mut message = Vec::new();
        let body = Full::new(Bytes::from_static(b"one\r\ntwo\n\nthree\nfour"));
        let ended = lines(body, None, |line| {
            message.push(line.to_owned());
            message.len() < 4
        });
        assert_eq!(ended.await, Ok(()));
        assert_eq!(message, ["one", "two", "", "three"]);
    }
}
