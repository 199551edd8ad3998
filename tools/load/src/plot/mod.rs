//! Curves as inline SVG: axes, series, marks. Knows no report; all text is escaped here.
//!
//! A plot is drawn in units of its own and takes the width it is given, so that a phone shows the
//! same picture as a desk. Colours are classes (`s0` to `s5`) that the page around it defines.

mod axis;
mod thin;

use std::fmt::Write;

use axis::Ruler;
pub(crate) use axis::{Axis, Scale, Unit};

/// Curves over one pair of axes.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    /// What a reader should know of it.
    pub(crate) note: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    pub(crate) marks: Vec<Mark>,
}

/// One curve.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A place on the x axis that has a name: a phase begins there.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) at: f64,
    pub(crate) name: String,
}

/// The axes measured out on the paper.
struct Paper {
    x: Ruler,
    y: Ruler,
    /// Room for the labels of the y axis.
    left: f64,
}

impl Plot {
    /// As a figure; `None` where there is nothing to draw.
    pub(crate) fn figure(&self) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        points().next()?;
        let y = Ruler::new(
            &self.y,
            points().map(|point| point.1),
            HEIGHT - TOP - BOTTOM,
        );
        let widest = y.ticks.iter().map(|tick| width_of(&tick.label));
        let left = 26.0 + widest.fold(0.0, f64::max);
        let x = Ruler::new(&self.x, points().map(|point| point.0), WIDTH - left - RIGHT);
        let paper = Paper { x, y, left };
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&paper, &mut text);
        Some(text)
    }

    fn write(&self, paper: &Paper, text: &mut String) -> std::fmt::Result {
        let title = escape(&self.title);
        writeln!(text, "<figure>\n<figcaption>{title}")?;
        if !self.note.is_empty() {
            writeln!(text, "<small>{}</small>", escape(&self.note))?;
        }
        writeln!(text, "</figcaption>")?;
        self.write_legend(text)?;
        writeln!(
            text,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
        )?;
        paper.write_axes(&self.x, &self.y, text)?;
        paper.write_marks(&self.marks, text)?;
        // Below a curve on a logarithmic axis there is no amount.
        let is_filled = self.series.len() == 1 && !self.y.is_logarithmic();
        for (number, series) in self.series.iter().enumerate() {
            paper.write_series(number, series, is_filled, text)?;
        }
        writeln!(text, "</svg>\n</figure>")
    }

    fn write_legend(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "<ul class=\"legend\">")?;
        for (number, series) in self.series.iter().enumerate() {
            let (class, name) = (number % COLOURS, escape(&series.name));
            writeln!(text, "<li class=\"s{class}\">{name}</li>")?;
        }
        writeln!(text, "</ul>")
    }
}

impl Paper {
    fn x(&self, value: f64) -> f64 {
        self.left + self.x.place(value) * (WIDTH - self.left - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn write_axes(&self, x: &Axis, y: &Axis, text: &mut String) -> std::fmt::Result {
        let (left, right, bottom) = (self.left, WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in &self.y.ticks {
            let at = self.y(tick.value);
            writeln!(
                text,
                "<path class=\"grid\" d=\"M{left:.1} {at:.1}H{right:.1}\"/>"
            )?;
            let (before, base) = (left - 5.0, at + 4.0);
            let label = escape(&tick.label);
            writeln!(
                text,
                "<text class=\"end\" x=\"{before:.1}\" y=\"{base:.1}\">{label}</text>"
            )?;
        }
        for tick in &self.x.ticks {
            let at = self.x(tick.value);
            writeln!(
                text,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom:.1}\"/>"
            )?;
            let (base, label) = (bottom + 15.0, escape(&tick.label));
            let half = width_of(&tick.label) / 2.0;
            let at = at.min(WIDTH - half - 1.0);
            writeln!(
                text,
                "<text class=\"middle\" x=\"{at:.1}\" y=\"{base:.1}\">{label}</text>"
            )?;
        }
        let (middle, base) = ((left + right) / 2.0, HEIGHT - 4.0);
        let label = escape(&x.label);
        writeln!(
            text,
            "<text class=\"middle name\" x=\"{middle:.1}\" y=\"{base:.1}\">{label}</text>"
        )?;
        let (middle, label) = ((TOP + bottom) / 2.0, escape(&y.label));
        writeln!(
            text,
            "<text class=\"middle name\" transform=\"translate(12 {middle:.1}) \
             rotate(-90)\">{label}</text>"
        )?;
        writeln!(
            text,
            "<path class=\"axis\" d=\"M{left:.1} {TOP}V{bottom:.1}H{right:.1}\"/>"
        )
    }

    fn write_marks(&self, marks: &[Mark], text: &mut String) -> std::fmt::Result {
        // Names that would run into each other take turns on two lines; where that is not enough,
        // the later phase is the one that was waited for.
        let mut free = [WIDTH; 2];
        for mark in marks.iter().rev() {
            let at = self.x(mark.at);
            let bottom = HEIGHT - BOTTOM;
            writeln!(
                text,
                "<path class=\"mark\" d=\"M{at:.1} {TOP}V{bottom:.1}\"/>"
            )?;
            let width = width_of(&mark.name) + 4.0;
            let begin = (at + 3.0).min(WIDTH - width);
            let row = free.iter().position(|free| begin + width <= *free);
            if let Some((row, base)) = row.map(|row| (row, MARKS[row])) {
                free[row] = begin;
                let name = escape(&mark.name);
                writeln!(
                    text,
                    "<text class=\"mark\" x=\"{begin:.1}\" y=\"{base:.1}\">{name}</text>"
                )?;
            }
        }
        Ok(())
    }

    fn write_series(
        &self,
        number: usize,
        series: &Series,
        is_filled: bool,
        text: &mut String,
    ) -> std::fmt::Result {
        let class = number % COLOURS;
        let thinned = thin::thin(&series.points);
        let mut path = String::new();
        for (x, y) in &thinned {
            let verb = if path.is_empty() { 'M' } else { 'L' };
            write!(path, "{verb}{:.1} {:.1}", self.x(*x), self.y(*y))?;
        }
        let ends = thinned.first().zip(thinned.last());
        if let Some((first, last)) = ends.filter(|_| is_filled && thinned.len() > 1) {
            let (begin, end) = (self.x(first.0), self.x(last.0));
            let bottom = HEIGHT - BOTTOM;
            writeln!(
                text,
                "<path class=\"area s{class}\" d=\"{path}L{end:.1} {bottom:.1}L{begin:.1} \
                 {bottom:.1}Z\"/>"
            )?;
        }
        writeln!(text, "<path class=\"line s{class}\" d=\"{path}\"/>")?;
        if series.points.len() > DOTS {
            return Ok(());
        }
        for (x, y) in &series.points {
            let (name, at) = (escape(&series.name), escape(&self.x.show(*x)));
            let value = escape(&self.y.show(*y));
            writeln!(
                text,
                "<circle class=\"s{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\"><title>{name}, \
                 {at}: {value}</title></circle>",
                self.x(*x),
                self.y(*y)
            )?;
        }
        Ok(())
    }
}

/// Text that means itself in HTML and in SVG.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            control if control.is_control() && control != '\n' => out.push('\u{FFFD}'),
            other => out.push(other),
        }
    }
    out
}

/// About how wide a label is, in the font that the page gives it.
fn width_of(label: &str) -> f64 {
    label.chars().count() as f64 * 7.2
}

/// The paper, and its margins but for the left one.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 268.0;
const TOP: f64 = 28.0;
const RIGHT: f64 = 12.0;
const BOTTOM: f64 = 38.0;

/// Where the names of marks stand: two lines above the curves.
const MARKS: [f64; 2] = [24.0, 12.0];

/// Colours that the page defines.
const COLOURS: usize = 6;
/// A curve of at most so many points shows each of them.
const DOTS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        Plot {
            title: String::from("a <b> & \"c\""),
            note: String::new(),
            x: Axis::new("time", Scale::Linear, Unit::Seconds),
            y: Axis::new("connections", Scale::Linear, Unit::Count),
            series: vec![Series {
                name: String::from("<script>"),
                points,
            }],
            marks: Vec::new(),
        }
    }

    #[test]
    fn what_stands_in_names_is_text() {
        let figure = plot(vec![(0.0, 1.0), (1.0, 2.0)]).figure().unwrap();
        assert!(
            figure.contains("a &lt;b&gt; &amp; &quot;c&quot;"),
            "{figure}"
        );
        assert!(!figure.contains("<script>"), "{figure}");
    }

    #[test]
    fn nothing_is_not_drawn_and_a_single_point_is() {
        assert!(plot(Vec::new()).figure().is_none());
        for lone in [(0.0, 0.0), (5.0, 7.0), (1e300, 1e300)] {
            let figure = plot(vec![lone]).figure().unwrap();
            assert!(figure.contains("<circle"), "{figure}");
            assert!(
                !figure.contains("NaN") && !figure.contains("inf"),
                "{figure}"
            );
        }
    }

    #[test]
    fn a_curve_stays_on_the_paper() {
        let figure = plot(vec![(0.0, 0.0), (2.0, 1_000.0), (3.0, 10.0)]).figure();
        let figure = figure.unwrap();
        let line = figure.lines().find(|line| line.contains("class=\"line"));
        let path = line.unwrap().split("d=\"").nth(1).unwrap();
        let path = path.split('"').next().unwrap();
        for point in path.split(['M', 'L']).filter(|point| !point.is_empty()) {
            let (x, y) = point.split_once(' ').unwrap();
            assert!((0.0..=WIDTH).contains(&x.parse::<f64>().unwrap()), "{path}");
            assert!(
                (0.0..=HEIGHT).contains(&y.parse::<f64>().unwrap()),
                "{path}"
            );
        }
    }
}
