//! Reads a call's body: within its limit, within its time, and within what all calls may hold together.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use portcullis_config::HostLimits;
use portcullis_model::Span;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

/// A body up to this size needs no permit: connections times this is little enough.
const SMALL: usize = 64 << 10;
/// Permits count in this unit.
const UNIT: u64 = 1 << 10;

/// What calls may hold.
#[derive(Clone, Debug)]
pub struct BodyLimits {
    call_bytes: u64,
    read_timeout: Duration,
    large: Arc<Semaphore>,
}

/// A call's bytes, and its share of what all calls may hold.
#[derive(Debug)]
pub struct Received {
    pub bytes: Bytes,
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

/// Why a body is not to be had. The text is what the caller is told.
#[derive(Debug, Error)]
pub enum BodyError {
    #[error("the plugin call is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the plugin call did not arrive within {}", Span(*limit))]
    TooSlow { limit: Duration },
    #[error("too many large plugin calls at once")]
    NoRoom,
    #[error("the plugin call broke off")]
    Broken,
}

impl BodyLimits {
    pub fn new(limits: &HostLimits) -> Self {
        let HostLimits { call_bytes, calls_bytes, read_timeout, .. } = *limits;
        let units = usize::try_from(calls_bytes.max(call_bytes).div_ceil(UNIT)).unwrap_or(Semaphore::MAX_PERMITS);
        Self { call_bytes, read_timeout, large: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))) }
    }

    /// Reads a body to its end. What is too large is still read, and dropped: dockerd writes all of a call before it
    /// reads the answer.
    pub async fn receive(&self, mut body: Incoming) -> Result<Received, BodyError> {
        let deadline = Instant::now() + self.read_timeout;
        match timeout_at(deadline, self.receive_within(&mut body)).await {
            Ok(Err(error @ (BodyError::TooLarge { .. } | BodyError::NoRoom))) => {
                self.drain_until(body, deadline).await?;
                Err(error)
            }
            Ok(received) => received,
            Err(_) => Err(self.too_slow()),
        }
    }

    /// Reads a body to its end. It is held where `is_wanted` says so of its beginning, once that is enough to tell, and unless it is
    /// larger than a call may be. Gives its size, too.
    pub(crate) async fn receive_if(
        &self,
        body: Incoming,
        is_wanted: impl Fn(&[u8]) -> Option<bool>,
    ) -> Result<(u64, Option<Received>), BodyError> {
        let mut body = body;
        let (mut size, mut held, mut wanted, mut permit) = (0, Some(BytesMut::new()), None, None);
        loop {
            // It can be any size, so what must not take long is the next piece of it.
            let deadline = Instant::now() + self.read_timeout;
            let frame = match timeout_at(deadline, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(BodyError::Broken),
                Ok(None) => break,
                Err(_) => return Err(self.too_slow()),
            };
            let Some(data) = frame.data_ref() else { continue };
            size += data.len() as u64;
            let Some(bytes) = &mut held else { continue };
            if size > SMALL as u64 && permit.is_none() {
                permit = timeout_at(deadline, self.permit(self.call_bytes)).await.ok().and_then(Result::ok);
            }
            bytes.extend_from_slice(data);
            wanted = wanted.or_else(|| is_wanted(bytes));
            // It has the call in it once more.
            let most = self.call_bytes.saturating_mul(2);
            let has_room = size <= SMALL as u64 || size <= most && permit.is_some();
            if wanted == Some(false) || !has_room {
                if wanted != Some(false) {
                    warn!(size, "an answer is too large to be looked at; what it may have made is not remembered");
                }
                (held, permit) = (None, None);
            }
        }
        let bytes = held.filter(|_| wanted == Some(true)).map(BytesMut::freeze);
        Ok((size, bytes.map(|bytes| Received { bytes, _permit: permit })))
    }

    async fn drain_until(&self, mut body: Incoming, deadline: Instant) -> Result<(), BodyError> {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        timeout_at(deadline, rest).await.map_err(|_| self.too_slow())
    }

    async fn receive_within(&self, body: &mut Incoming) -> Result<Received, BodyError> {
        let announced = body.size_hint().exact();
        if announced.is_some_and(|size| size > self.call_bytes) {
            return Err(BodyError::TooLarge { limit: self.call_bytes });
        }
        let Some(first) = next(body).await? else {
            return Ok(Received { bytes: Bytes::new(), _permit: None });
        };
        if body.is_end_stream() {
            return Ok(Received { bytes: first, _permit: None });
        }
        let mut permit = None;
        let mut bytes = BytesMut::with_capacity(announced.map_or(SMALL, |size| (size as usize).min(SMALL)));
        bytes.extend_from_slice(&first);
        while let Some(data) = next(body).await? {
            let size = bytes.len() + data.len();
            if size as u64 > self.call_bytes {
                return Err(BodyError::TooLarge { limit: self.call_bytes });
            }
            if size > SMALL && permit.is_none() {
                let whole = announced.unwrap_or(self.call_bytes);
                permit = Some(self.permit(whole).await?);
                bytes.reserve(usize::try_from(whole).unwrap_or(size).saturating_sub(bytes.len()));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Received { bytes: bytes.freeze(), _permit: permit })
    }

    /// Waits for room, for as long as the call may take to arrive.
    async fn permit(&self, bytes: u64) -> Result<OwnedSemaphorePermit, BodyError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| BodyError::NoRoom)?;
        Arc::clone(&self.large).acquire_many_owned(units).await.map_err(|_| BodyError::NoRoom)
    }

    fn too_slow(&self) -> BodyError {
        BodyError::TooSlow { limit: self.read_timeout }
    }
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Broken),
            // Trailers say nothing about a call.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Ok(Some(data)),
                Err(_) => {}
            },
        }
    }
}
