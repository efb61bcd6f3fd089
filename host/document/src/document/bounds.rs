//! What a change may cost: some operations of a patch cost what they copy, and not what they say.

use super::change::Why;
use super::tree::Tree;
use super::walk::{Step, Walk};
use super::{ChangeCount, MAX_TEXT, Value};

/// Bytes of JSON that one change may go through at least; a large document may be gone through a few times.
const WORK: usize = 64 << 20;
const TIMES: usize = 4;
/// What a step of a pointer counts for.
const STEP: usize = 16;

/// What bounds a change beside [`MAX_TEXT`].
#[derive(Clone, Copy)]
pub struct Bounds<'b> {
    /// How long the JSON may become, for what is sure to be longer is not made. It may come out somewhat longer.
    pub bytes: usize,
    /// Whether nobody waits for it any longer. Asked before each operation.
    pub is_over: &'b dyn Fn() -> bool,
}

/// What is left of the bounds while changes are made.
pub(super) struct Budget<'b> {
    bounds: Bounds<'b>,
    /// How long the JSON was. Written anew it may be shorter, so only what comes to it is sure to be there afterwards.
    before: usize,
    work: usize,
    left: usize,
}

/// How long a value's JSON is, escapes not counted, and how many lists and objects nest in it.
#[derive(Clone, Copy)]
pub(super) struct Measure {
    pub(super) bytes: usize,
    pub(super) depth: usize,
}

// === impl Bounds ===

impl Default for Bounds<'_> {
    fn default() -> Self {
        Self { bytes: MAX_TEXT, is_over: &|| false }
    }
}

impl std::fmt::Debug for Bounds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounds").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

// === impl Budget ===

impl<'b> Budget<'b> {
    pub(super) fn new(change_count: &ChangeCount, bounds: Bounds<'b>) -> Self {
        let work = change_count.bytes.saturating_mul(TIMES).max(WORK);
        Self { bounds, before: change_count.bytes, work, left: work }
    }

    /// Counts a pointer that is followed.
    pub(super) fn follow(&mut self, tokens: usize) -> Result<(), Why> {
        if (self.bounds.is_over)() {
            return Err(Why::Over);
        }
        self.spend(tokens.saturating_mul(STEP))
    }

    /// Measures a value, if there is enough left to go through all of it.
    pub(super) fn measure(&mut self, value: Value<'_>) -> Result<Measure, Why> {
        let measure = Measure::up_to(value, self.left).ok_or(Why::Work { most: self.work })?;
        self.spend(measure.bytes)?;
        Ok(measure)
    }

    /// How long a value is that goes.
    pub(super) fn measured(&mut self, value: Option<&Tree>) -> Result<usize, Why> {
        value.map_or(Ok(0), |tree| self.measure(tree.value()).map(|measure| measure.bytes))
    }

    /// Whether the document may become as long as that.
    pub(super) fn check_size(&self, change_count: &ChangeCount) -> Result<(), Why> {
        let most = if change_count.bytes > MAX_TEXT { MAX_TEXT } else { self.bounds.bytes };
        let is_sure =
            change_count.bytes > MAX_TEXT || change_count.bytes.saturating_sub(self.before) > self.bounds.bytes;
        if is_sure { Err(Why::Size { most }) } else { Ok(()) }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Why> {
        self.left = self.left.checked_sub(bytes).ok_or(Why::Work { most: self.work })?;
        Ok(())
    }
}

// === impl Measure ===

impl Measure {
    pub(super) fn of(value: Value<'_>) -> Self {
        Self::up_to(value, usize::MAX).unwrap_or(Self { bytes: usize::MAX, depth: usize::MAX })
    }

    /// None where it is longer than `most`, which is known without going through more.
    fn up_to(value: Value<'_>, most: usize) -> Option<Self> {
        let mut walk = Walk::new(value);
        let mut measure = Self { bytes: 0, depth: 0 };
        while let Some(step) = walk.next() {
            measure.bytes += match step {
                Step::Key(key) => key.len() + 3,
                Step::Scalar(value) => match (value.as_str(), value.number_text()) {
                    (Some(text), _) => text.len() + 3,
                    (None, Some(number)) => number.len() + 1,
                    (None, None) => 5,
                },
                Step::Open(_) => 3,
                Step::Close(_) => 0,
            };
            measure.depth = measure.depth.max(walk.depth());
            if measure.bytes > most {
                return None;
            }
        }
        Some(measure)
    }
}
