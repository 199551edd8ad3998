//! How memory grows with connections, and by how much besides.

/// What was learnt from looks at a process.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Growth {
    /// Bytes with each connection.
    pub(crate) each: f64,
    /// Bytes once: code that is used for the first time, tables for the first of their kind.
    pub(crate) once: f64,
}

impl Growth {
    /// From connections and bytes, seen before the first connection and from time to time; `None`
    /// where no connection came.
    ///
    /// It is the slope from the first look at which a tenth of the connections were there, by which
    /// time everything has been used once, to the most. Where these two lie too close together all
    /// growth is shared among the connections, and so is what was needed once.
    pub(crate) fn of(seen: &[(u64, u64)]) -> Option<Self> {
        let (few, before) = *seen.first()?;
        let most = seen.iter().map(|(count, _)| *count).max()?;
        let all = most.checked_sub(few).filter(|all| *all > 0)?;
        // While all are there: closing them takes memory of its own.
        let is_full = |(count, _): &&(u64, u64)| count.saturating_sub(few) >= all - all / 100;
        let full = seen.iter().filter(is_full);
        let peak = full.map(|(_, bytes)| *bytes).max()?;
        let is_warm = |(count, _): &&(u64, u64)| count.saturating_sub(few) >= all.div_ceil(10);
        let grown = |from: u64| (peak as f64 - from as f64).max(0.0);
        let warm = seen.iter().find(is_warm);
        Some(match warm {
            Some((count, bytes)) if most - count >= FEWEST => {
                let each = (grown(*bytes) / (most - count) as f64).max(0.0);
                let once = (grown(before) - each * all as f64).max(0.0);
                Self { each, once }
            }
            _ => Self {
                each: grown(before) / all as f64,
                once: 0.0,
            },
        })
    }
}

/// Connections between two looks at the least, so that a page more or less does not count.
const FEWEST: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_needed_once_is_not_shared_among_the_connections() {
        let mib = 1 << 20;
        let at = |open: u64| (10 + open, 3 * mib + u64::from(open > 0) * mib + 160 * open);
        let growth = |each: f64, once: f64| Some(Growth { each, once });
        let seen = [
            at(0),
            at(500),
            at(2_000),
            at(7_000),
            at(10_000),
            (10, 9 * mib),
        ];
        assert_eq!(Growth::of(&seen), growth(160.0, mib as f64));
        // All came between two looks: there is nothing to tell them apart by.
        let shared = 160.0 + mib as f64 / 10_000.0;
        assert_eq!(Growth::of(&[at(0), at(10_000)]), growth(shared, 0.0));
        // Who takes nothing does not take less than that.
        let seen = [(10, mib), (2_010, mib), (10_010, mib)];
        assert_eq!(Growth::of(&seen), growth(0.0, 0.0));
        assert_eq!(Growth::of(&[at(0), at(0)]), None, "nobody came");
    }
}
