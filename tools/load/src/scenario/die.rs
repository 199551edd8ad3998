//! `die`: connections end in one of the known ways; how late does the server notice?

use std::time::Duration;

use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::{Death, Part, Phase, Until};
use crate::units::read_span;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// How they die
    #[arg(long, value_enum, default_value = "silent")]
    how: Death,
    /// The server's idle timeout, counted from the last byte
    #[arg(long, value_parser = read_span, value_name = "TIME")]
    expect: Duration,
    /// How long the server may be late before the waiting ends
    #[arg(long, default_value = "5s", value_parser = read_span, value_name = "TIME")]
    grace: Duration,
    /// Time between two heartbeats of a connection, while it lives
    #[arg(long, default_value = "1s", value_parser = read_span, value_name = "TIME")]
    every: Duration,
    /// Say the last heartbeat of all at once, so that all are due at once; else the last ones are
    /// as far apart as `--every` makes them
    #[arg(long)]
    together: bool,
    #[command(flatten)]
    common: Common,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        let mut plan = target.plan("die", common)?;
        let role = Part::Die {
            how: self.how,
            every: self.every,
            expect: self.expect,
            together: self.together,
        };
        let within = match self.how {
            Death::Fin => self.grace,
            Death::Silent | Death::Rst | Death::Vanish => self.expect + self.grace,
        };
        plan.cohorts = vec![target.cohort("dying", role)];
        let is_seen = matches!(self.how, Death::Silent | Death::Fin);
        plan.phases = vec![
            target.ramp_phase(common),
            Phase {
                name: String::from("live"),
                judged: false,
                ..target.measure_phase()
            },
            Phase {
                name: String::from("die"),
                until: if is_seen {
                    Until::Deserted { within }
                } else {
                    Until::Watched { span: within }
                },
                disturb: true,
                judged: true,
            },
        ];
        // The ends of the others are seen in the server's descriptors.
        if is_seen || common.outputs.server_pid.is_some() {
            let all = format!("closed=={}", target.connections);
            plan.thresholds.push(all);
        }
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}
