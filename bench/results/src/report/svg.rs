//! Line plots as SVG: axes, lines and a legend, coloured by the style sheet of the page.

use std::fmt::Write as _;

pub(super) const WIDTH: f64 = 560.0;
pub(super) const HEIGHT: f64 = 280.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;

/// Colours of the style sheet.
const COLOURS: usize = 8;

pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) x: Axis<'a>,
    pub(super) y: Axis<'a>,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Axis<'a> {
    pub(super) label: &'a str,
    pub(super) scale: Scale,
    /// How a value on it is written.
    pub(super) format: fn(f64) -> String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero.
    Linear,
    Log,
    /// Shares from 0 to 1, evenly by the number of nines.
    Nines,
}

pub(super) struct Line {
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) dashed: bool,
    /// A dot at each point, with its text as a tooltip.
    pub(super) dots: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// From values to a place between 0 and 1.
struct Frame {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
    /// The largest value.
    most: f64,
}

impl Plot<'_> {
    /// A figure with its legend; a note in its place where there is nothing to draw.
    pub(super) fn draw(&self) -> String {
        let shown = |scale: Scale, value: f64| match scale {
            Scale::Linear => value.is_finite(),
            Scale::Log => value.is_finite() && value > 0.0,
            Scale::Nines => (0.0..1.0).contains(&value),
        };
        let lines: Vec<(&Line, Vec<(f64, f64)>)> = self
            .lines
            .iter()
            .map(|line| {
                let points = line.points.iter().copied();
                let fits = |(x, y): &(f64, f64)| shown(self.x.scale, *x) && shown(self.y.scale, *y);
                (line, points.filter(fits).collect())
            })
            .filter(|(_, points): &(_, Vec<_>)| !points.is_empty())
            .collect();
        let title = super::escape(self.title);
        if lines.is_empty() {
            return format!("<figure><figcaption>{title}: nothing to draw</figcaption></figure>\n");
        }
        let all = || lines.iter().flat_map(|(_, points)| points);
        let x = Frame::around(self.x.scale, all().map(|(x, _)| *x)).ending_with_the_data();
        let y = Frame::around(self.y.scale, all().map(|(_, y)| *y));
        let mut svg = format!(
            "<figure><figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             role=\"img\" aria-label=\"{title}\">\n"
        );
        self.axes(&mut svg, &x, &y);
        for (line, points) in &lines {
            self.line(&mut svg, line, points, &x, &y);
        }
        svg += "</svg>\n";
        legend(&mut svg, &lines.iter().map(|(line, _)| *line).collect::<Vec<_>>());
        svg + "</figure>\n"
    }

    fn axes(&self, svg: &mut String, x: &Frame, y: &Frame) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in &y.ticks {
            let at = across_y(y, *tick);
            let text = (self.y.format)(*tick);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>\
                 <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
                LEFT - 6.0,
                at + 4.0
            );
        }
        for tick in &x.ticks {
            let at = across_x(x, *tick);
            let text = (self.x.format)(*tick);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>\
                 <text class=\"x\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>",
                bottom + 16.0
            );
        }
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\
             <text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            f64::midpoint(LEFT, right),
            HEIGHT - 6.0,
            super::escape(self.x.label)
        );
    }

    fn line(&self, svg: &mut String, line: &Line, points: &[(f64, f64)], x: &Frame, y: &Frame) {
        let at = |(a, b): &(f64, f64)| (across_x(x, *a), across_y(y, *b));
        let path: Vec<String> =
            points.iter().map(at).map(|(a, b)| format!("{a:.1} {b:.1}")).collect();
        let class =
            format!("c{}{}", line.colour % COLOURS, if line.dashed { " dashed" } else { "" });
        let name = super::escape(&line.name);
        let _ = writeln!(
            svg,
            "<path class=\"line {class}\" d=\"M{}\"><title>{name}</title></path>",
            path.join("L")
        );
        // A single point has no line.
        if line.dots || points.len() == 1 {
            for point in points {
                let (a, b) = at(point);
                let (one, other) = ((self.x.format)(point.0), (self.y.format)(point.1));
                let _ = writeln!(
                    svg,
                    "<circle class=\"{class}\" cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3\">\
                     <title>{name}: {one}, {other}</title></circle>"
                );
            }
        }
    }
}

fn legend(svg: &mut String, lines: &[&Line]) {
    *svg += "<p class=\"legend\">";
    for line in lines {
        let dashed = if line.dashed { " dashed" } else { "" };
        let _ = write!(
            svg,
            "<span><i class=\"c{}{dashed}\"></i>{}</span> ",
            line.colour % COLOURS,
            super::escape(&line.name)
        );
    }
    *svg += "</p>\n";
}

fn across_x(frame: &Frame, value: f64) -> f64 {
    LEFT + frame.place(value) * (WIDTH - LEFT - RIGHT)
}

fn across_y(frame: &Frame, value: f64) -> f64 {
    HEIGHT - BOTTOM - frame.place(value) * (HEIGHT - TOP - BOTTOM)
}

impl Frame {
    fn around(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        match scale {
            Scale::Linear => Self { most: high, ..Self::linear(high) },
            Scale::Log => Self::log(low, high),
            Scale::Nines => {
                let nines = -(1.0 - high).max(1e-7).log10();
                let ticks = [0.0_f64, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
                let ticks = ticks.into_iter().filter(|tick| -(1.0 - tick).log10() <= nines + 1e-9);
                Self { scale, low: 0.0, high: nines.max(1.0), ticks: ticks.collect(), most: high }
            }
        }
    }

    fn linear(high: f64) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        let rough = high / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|it| *it >= rough);
        let step = step.unwrap_or(rough);
        let steps = (high / step - 1e-9).ceil();
        let ticks = (0..=steps as u32).map(|at| f64::from(at) * step).collect();
        Self { scale: Scale::Linear, low: 0.0, high: steps * step, ticks, most: high }
    }

    /// Room to the right of the last value says nothing; above a curve it does.
    fn ending_with_the_data(mut self) -> Self {
        if self.scale == Scale::Linear && self.most > 0.0 {
            self.high = self.most * 1.03;
            self.ticks.retain(|tick| *tick <= self.high);
        }
        self
    }

    /// Whole decades, or 1, 2 and 5 of each where there are few.
    fn log(low: f64, high: f64) -> Self {
        let within = |mantissas: &[f64]| {
            let mut marks = Vec::new();
            for decade in low.log10().floor() as i32..=high.log10().ceil() as i32 {
                marks.extend(mantissas.iter().map(|mantissa| mantissa * 10_f64.powi(decade)));
            }
            let from = marks.iter().rposition(|mark| *mark <= low * 1.000_001).unwrap_or(0);
            let to = marks.iter().position(|mark| *mark >= high * 0.999_999);
            let to = to.unwrap_or(marks.len() - 1).max(from + 1).min(marks.len() - 1);
            marks[from..=to].to_vec()
        };
        let fine = within(&[1.0, 2.0, 5.0]);
        let ticks = if fine.len() <= 8 { fine } else { within(&[1.0]) };
        let (low, high) = (ticks[0].log10(), ticks[ticks.len() - 1].log10());
        Self { scale: Scale::Log, low, high, ticks, most: high }
    }

    fn place(&self, value: f64) -> f64 {
        let value = match self.scale {
            Scale::Linear => value,
            Scale::Log => value.log10(),
            Scale::Nines => -(1.0 - value).max(1e-7).log10(),
        };
        ((value - self.low) / (self.high - self.low).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        let frame = Frame::around(Scale::Linear, [3.0, 1234.0].into_iter());
        assert_eq!(frame.ticks, [0.0, 500.0, 1000.0, 1500.0]);
        let frame = Frame::around(Scale::Log, [70.0, 3100.0].into_iter());
        assert_eq!(frame.ticks.first(), Some(&50.0));
        assert_eq!(frame.ticks.last(), Some(&5000.0));
        assert!(frame.place(70.0) > 0.0 && frame.place(3100.0) < 1.0);
        let frame = Frame::around(Scale::Nines, [0.0, 0.9999].into_iter());
        assert_eq!(frame.ticks, [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999]);
        assert!((frame.place(0.99) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_single_value_has_a_frame() {
        for scale in [Scale::Linear, Scale::Log, Scale::Nines] {
            let frame = Frame::around(scale, [0.5].into_iter());
            assert!(frame.ticks.len() > 1 && frame.place(0.5).is_finite());
        }
    }
}
