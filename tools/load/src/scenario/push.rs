//! `push`: numbered messages through the server to many receivers; did all of them arrive?

use super::period;
use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::{Cohort, Part, Phase, Until};
use crate::spread::Head;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Messages published a second over all publishers; `--connections` is the receivers
    #[arg(short, long, default_value_t = 10.0, value_name = "PER_SECOND")]
    rate: f64,
    /// Connections that publish
    #[arg(long, default_value_t = 1, value_name = "N")]
    publishers: u32,
    /// Topics over which receivers and publishers are spread
    #[arg(long, default_value_t = 1, value_name = "N")]
    topics: u32,
    /// Bytes of a message, at least 32
    #[arg(long = "body", default_value_t = 64, value_name = "BYTES")]
    body: u32,
    #[command(flatten)]
    common: Common,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        if (self.body as usize) < Head::SIZE {
            return Err(Fatal::Usage(format!(
                "a message of {} bytes can not be numbered: --body {} at least",
                self.body,
                Head::SIZE
            )));
        }
        if self.topics == 0 || self.publishers < self.topics {
            return Err(Fatal::Usage(String::from(
                "each topic needs a publisher: give as many --publishers as --topics",
            )));
        }
        let mut plan = target.plan("push", common)?;
        plan.speech.login_by_default();
        let topics = self.topics;
        let publish = Part::Publish {
            every: period(self.rate, self.publishers)?,
            size: self.body,
            topics,
        };
        plan.cohorts = vec![
            target.cohort("receiving", Part::Receive { topics }),
            Cohort {
                connections: self.publishers,
                from: 1,
                ..target.cohort("publishing", publish)
            },
        ];
        plan.phases = vec![
            target.ramp_phase(common),
            Phase {
                name: String::from("begin"),
                until: Until::Settled {
                    within: target.ramp_phase(common).until.longest(),
                },
                disturb: false,
                judged: false,
            },
            target.measure_phase(),
        ];
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}
