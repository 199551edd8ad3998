//! A distribution in a report, and back.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use super::TimingReport;

impl TimingReport {
    /// All of it; `None` where somebody has spoilt it.
    pub(crate) fn histogram(&self) -> Option<Histogram<u64>> {
        let bytes = BASE64_STANDARD.decode(&self.hdr).ok()?;
        Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
    }

    /// The mean as a whole number.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of times, not negative"
    )]
    pub(super) fn mean_nanos(&self) -> u64 {
        self.mean as u64
    }
}

impl From<&Histogram<u64>> for TimingReport {
    fn from(timing: &Histogram<u64>) -> Self {
        let at = |quantile| timing.value_at_quantile(quantile);
        let mut bytes = Vec::new();
        // Writing to a vector does not fail.
        let _ = V2DeflateSerializer::new().serialize(timing, &mut bytes);
        Self {
            count: timing.len(),
            min: timing.min(),
            mean: timing.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: timing.max(),
            hdr: BASE64_STANDARD.encode(bytes),
        }
    }
}
