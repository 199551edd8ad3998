//! Plays a script: each step within its deadline.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::clock;
use super::script::{Deed, Step};
use super::talk::{End, Next, Talk};
use super::tell::News;
use super::wire::Said;
use crate::client::{Event, Outcome, RequestId};
use crate::commands::Problem;
use crate::commands::show::shown;

/// A script that is played.
pub(super) struct Play<'a> {
    pub(super) talk: &'a mut Talk,
    /// The script's name.
    name: &'a str,
    /// How long an answer or something expected may take.
    patience: Duration,
    /// Sleeps are so many times shorter.
    speed: f64,
    /// What has come and was not expected yet, the oldest first.
    told: VecDeque<String>,
    /// What must not come.
    never: Vec<String>,
    /// The last loss was expected.
    has_expected_loss: bool,
}

impl<'a> Play<'a> {
    pub(super) fn new(talk: &'a mut Talk, name: &'a str, patience: Duration, speed: f64) -> Self {
        Self {
            talk,
            name,
            patience,
            speed,
            told: VecDeque::new(),
            never: Vec::new(),
            has_expected_loss: false,
        }
    }

    /// Does all of it, then leaves.
    pub(super) fn run(mut self, steps: &[Step]) -> Result<(), Problem> {
        self.all(steps)?;
        // What a script has expected is no failure.
        if matches!(self.talk.over, Some(End::Gone(_))) && self.has_expected_loss {
            self.talk.over = Some(End::Left);
        }
        self.talk.leave()
    }

    fn all(&mut self, steps: &[Step]) -> Result<(), Problem> {
        for step in steps {
            self.step(step)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Problem> {
        match &step.deed {
            Deed::Say(line) => self.say(step, line, false),
            Deed::Try(line) => self.say(step, line, true),
            Deed::Sleep(span) => {
                let until = clock::after(span.div_f64(self.speed));
                while self.pump(step, until)?.is_some() {}
                Ok(())
            }
            Deed::Expect(text, within) => self.expect(step, text, within.unwrap_or(self.patience)),
            Deed::Never(text) => {
                self.never.push(text.clone());
                Ok(())
            }
            Deed::Write(bytes) => {
                let shown = format!("write \"{}\"", bytes.escape_ascii());
                self.talk.teller.say(&shown)?;
                let written = self.talk.wire.write(bytes);
                written.map_err(|why| self.unmet(step, &why))
            }
            Deed::Repeat(count, steps) => (0..*count).try_for_each(|_| self.all(steps)),
        }
    }

    fn say(&mut self, step: &Step, line: &str, may_fail: bool) -> Result<(), Problem> {
        self.talk.teller.say(line)?;
        let said = self.talk.say(line).map_err(|why| self.unmet(step, &why))?;
        let Said::Asked(asked) = said else {
            return Ok(());
        };
        match self.answer(step, asked)? {
            Outcome::Done(_) => Ok(()),
            _ if may_fail => Ok(()),
            outcome => Err(self.unmet(step, &outcome.to_string())),
        }
    }

    fn answer(&mut self, step: &Step, asked: RequestId) -> Result<Outcome, Problem> {
        let until = clock::after(self.patience);
        loop {
            match self.pump(step, until)? {
                Some(News::Event(Event::Answer { request, outcome })) if request == asked => {
                    return Ok(outcome);
                }
                Some(_) => {}
                None => {
                    let patience = humantime::format_duration(self.patience);
                    return Err(self.unmet(step, &format!("no answer within {patience}")));
                }
            }
        }
    }

    /// Waits for something that holds `text`; what came before it is passed over.
    fn expect(&mut self, step: &Step, text: &str, within: Duration) -> Result<(), Problem> {
        let until = clock::after(within);
        loop {
            while let Some(told) = self.told.pop_front() {
                if told.contains(text) {
                    self.has_expected_loss |= told.starts_with("lost");
                    return Ok(());
                }
            }
            let is_over = self.talk.over.is_some();
            if is_over || self.pump(step, until)?.is_none() {
                let text = shown(text);
                let why = match is_over {
                    true => format!("expected \"{text}\", and the connection is gone for good"),
                    false => {
                        let within = humantime::format_duration(within);
                        format!("expected \"{text}\", which did not come within {within}")
                    }
                };
                return Err(self.unmet(step, &why));
            }
        }
    }

    /// The next thing that happens until then; `None` where nothing does.
    fn pump(&mut self, step: &Step, until: Option<Instant>) -> Result<Option<News>, Problem> {
        loop {
            match self.talk.next(until)? {
                Next::News(news, text) => {
                    if let Some(never) = self.never.iter().find(|never| text.contains(&never[..])) {
                        let why = format!("never expected \"{}\": {text}", shown(never));
                        return Err(self.unmet(step, &why));
                    }
                    if matches!(news, News::Event(Event::Connected)) {
                        self.has_expected_loss = false;
                    }
                    if self.told.len() == TOLD_MAX {
                        self.told.pop_front();
                    }
                    self.told.push_back(text);
                    return Ok(Some(news));
                }
                Next::Time => return Ok(None),
                // The sender of lines is not there; where all are gone, nothing follows.
                Next::Line(_) | Next::LinesEnd if self.talk.over.is_some() => return Ok(None),
                Next::Line(_) | Next::LinesEnd => {}
            }
        }
    }

    /// What the script asked for and did not get.
    fn unmet(&self, step: &Step, why: &str) -> Problem {
        Problem::Unmet(format!("{}:{}: {why}", self.name, step.line))
    }
}

/// What is remembered of what came and was not expected.
const TOLD_MAX: usize = 10_000;
