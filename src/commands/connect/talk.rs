//! A conversation: lines in, what happens out, until one side ends it.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::clock;
use super::tell::{News, Teller};
use super::wire::{Input, Said, Wire, is_end};
use crate::client::{Event, Outcome, RequestId};
use crate::commands::{Problem, note};

/// A connection in use.
pub(super) struct Talk {
    pub(super) wire: Wire,
    pub(super) teller: Teller,
    inputs: Receiver<Input>,
    place: String,
    /// When it is to be left.
    until: Option<Instant>,
    /// Whether it has come about.
    is_open: bool,
    /// Why it is over; nothing more will happen.
    pub(super) over: Option<End>,
    /// How it was lost last.
    last_lost: Option<String>,
    /// Pings that were typed and are not answered.
    pings: Vec<RequestId>,
}

/// How a conversation has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// We have left.
    Left,
    /// It is gone, and why.
    Gone(String),
}

/// What there is to react to.
pub(super) enum Next {
    Line(String),
    LinesEnd,
    /// This has happened, and was told in these words.
    News(News, String),
    /// The time is up.
    Time,
}

impl Talk {
    pub(super) fn new(
        wire: Wire,
        inputs: Receiver<Input>,
        teller: Teller,
        place: String,
        until: Option<Instant>,
    ) -> Self {
        Self {
            wire,
            teller,
            inputs,
            place,
            until,
            is_open: false,
            over: None,
            last_lost: None,
            pings: Vec::new(),
        }
    }

    /// Waits until the connection has come about.
    ///
    /// # Errors
    /// Where it does not at the first attempt: where, and why.
    pub(super) fn open(&mut self) -> Result<(), Problem> {
        while !self.is_open && self.over.is_none() {
            self.next(None)?;
        }
        Ok(())
    }

    /// What people type, until there is no more of it, the time is up or the connection is gone.
    pub(super) fn with_lines(&mut self) -> Result<(), Problem> {
        while self.over.is_none() {
            match self.next(self.until)? {
                Next::Line(line) => self.obey(line.trim_end_matches('\r'))?,
                // Who names a time listens for so long.
                Next::LinesEnd if self.until.is_some() => {}
                Next::LinesEnd | Next::Time => return self.leave(),
                Next::News(..) => {}
            }
        }
        self.judge()
    }

    fn obey(&mut self, line: &str) -> Result<(), Problem> {
        match line {
            "" => Ok(()),
            "/history" => self.teller.tell_history(),
            "/help" => {
                note(HELP);
                Ok(())
            }
            _ => {
                if let Err(why) = self.say(line) {
                    note(&format!("not sent: {why}"));
                }
                Ok(())
            }
        }
    }

    /// Says goodbye and waits for the end.
    pub(super) fn leave(&mut self) -> Result<(), Problem> {
        if self.over.is_none() {
            self.wire.quit();
        }
        let until = clock::after(PARTING_MAX);
        while self.over.is_none() {
            if let Next::Time = self.next(until)? {
                self.over = Some(End::Left);
            }
        }
        self.judge()
    }

    /// Says a line; why not, where it can not be said.
    pub(super) fn say(&mut self, line: &str) -> Result<Said, String> {
        let said = self.wire.say(line)?;
        if let (Said::Asked(request), "ping") = (&said, line) {
            self.pings.push(*request);
        }
        Ok(said)
    }

    /// Whether this answers a ping.
    fn is_pong(&mut self, news: &News) -> bool {
        let News::Event(Event::Answer { request, outcome }) = news else {
            return false;
        };
        let at = self.pings.iter().position(|ping| ping == request);
        let ping = at.map(|at| self.pings.remove(at));
        ping.is_some() && matches!(outcome, Outcome::Done(_))
    }

    /// The next thing that happens, which is told; or that the time is up.
    pub(super) fn next(&mut self, until: Option<Instant>) -> Result<Next, Problem> {
        let input = match until.map(clock::left) {
            Some(None) => return Ok(Next::Time),
            Some(Some(left)) => self.inputs.recv_timeout(left),
            None => self.inputs.recv().map_err(RecvTimeoutError::from),
        };
        match input {
            Ok(Input::Line(line)) => Ok(Next::Line(line)),
            Ok(Input::LinesEnd) => Ok(Next::LinesEnd),
            Ok(Input::News(news)) => {
                let text = self.take(&news)?;
                Ok(Next::News(news, text))
            }
            Err(RecvTimeoutError::Timeout) => Ok(Next::Time),
            Err(RecvTimeoutError::Disconnected) => {
                self.over.get_or_insert(End::Left);
                Ok(Next::LinesEnd)
            }
        }
    }

    fn take(&mut self, news: &News) -> Result<String, Problem> {
        if let News::Event(Event::Lost(lost)) = news {
            if !self.is_open {
                return Err(self.problem(&lost.to_string()));
            }
            self.last_lost = Some(lost.to_string());
        }
        self.is_open |= matches!(news, News::Opened | News::Event(Event::Connected));
        let is_pong = self.is_pong(news);
        let text = self.teller.tell(news, is_pong)?;
        match is_end(news) {
            Some(None) => self.over = Some(End::Left),
            Some(Some(why)) => self.over = Some(End::Gone(why)),
            None => {}
        }
        Ok(text)
    }

    /// Whether it ended well.
    pub(super) fn judge(&self) -> Result<(), Problem> {
        if self.teller.has_come_back() {
            self.teller.tell_history()?;
        }
        match &self.over {
            Some(End::Gone(why)) => {
                let lost = self.last_lost.as_deref();
                let lost = lost.filter(|lost| !why.contains(lost));
                let why = lost.map_or_else(|| why.clone(), |lost| format!("{lost}; {why}"));
                Err(self.problem(&why))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn problem(&self, why: &str) -> Problem {
        Problem::Run(format!("{}: {why}", self.place))
    }
}

/// How long it is waited for the other side's end.
const PARTING_MAX: Duration = Duration::from_secs(5);
const HELP: &str = "say send USER TEXT, asend USER TEXT, join TOPIC, leave TOPIC, pub TOPIC TEXT, \
                    data TEXT, ping or quit; /history tells what happened to the connection";
