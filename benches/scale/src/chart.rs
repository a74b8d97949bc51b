//! A page of charts: throughput over threads, a small one for each workload.

use crate::matrix::{Panel, Point};
use std::fmt::Write;

const WIDTH: f64 = 330.0;
const HEIGHT: f64 = 220.0;
/// Room for the numbers at the axes, and for the title.
const LEFT: f64 = 48.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 34.0;

const STYLE: &str = "body{font:14px system-ui,sans-serif;margin:24px;color:#222}\
 svg{margin:0 12px 12px 0} text{font:11px system-ui,sans-serif;fill:#444}\
 .title{font-weight:600;font-size:13px;fill:#222} .grid{stroke:#e4e4e4} .key{margin-right:18px}\
 .key i{display:inline-block;width:22px;height:4px;margin-right:6px;vertical-align:middle}";

/// Ours in strong colours, the peers in others, by their place in the list.
const OURS: [&str; 2] = ["#d4351c", "#7a1fa2"];
const PEERS: [&str; 4] = ["#1d70b8", "#00806a", "#b58900", "#777777"];

/// The maps of some points in their order, each with its colour.
fn colours(points: &[&Point]) -> Vec<(&'static str, bool, &'static str)> {
    let mut maps: Vec<(&'static str, bool, &'static str)> = Vec::new();
    for point in points {
        if maps.iter().any(|&(name, ..)| name == point.map) {
            continue;
        }
        let place = maps.iter().filter(|&&(_, ours, _)| ours == point.ours).count();
        let palette: &[&str] = if point.ours { &OURS } else { &PEERS };
        maps.push((point.map, point.ours, palette[place % palette.len()]));
    }
    maps
}

/// The least of 1, 2, 5, 10, 20, … that is not below.
fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powf(value.max(1e-9).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * decade >= value);
    step.unwrap_or(10.0) * decade
}

/// From numbers to places in a chart: threads by their logarithm, millions per second linearly.
struct Scale {
    most_threads: f64,
    most: f64,
}

impl Scale {
    fn of(points: &[&Point]) -> Scale {
        let greatest =
            |of: fn(&Point) -> f64| points.iter().map(|point| of(point)).fold(0.0, f64::max);
        Scale {
            most_threads: greatest(|point| point.threads as f64),
            most: round_up(greatest(|point| point.median) / 1e6),
        }
    }

    fn x(&self, threads: usize) -> f64 {
        let whole = self.most_threads.log2().max(1.0);
        LEFT + (threads as f64).log2() / whole * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, millions: f64) -> f64 {
        HEIGHT - BOTTOM - millions / self.most * (HEIGHT - TOP - BOTTOM)
    }
}

fn draw_grid(svg: &mut String, scale: &Scale, threads: &[usize]) {
    for quarter in 0..=4 {
        let millions = scale.most * f64::from(quarter) / 4.0;
        let (y, end) = (scale.y(millions), WIDTH - RIGHT);
        let _ = write!(
            svg,
            "<line class='grid' x1='{LEFT}' x2='{end}' y1='{y:.1}' y2='{y:.1}'/>\
             <text x='{}' y='{:.1}' text-anchor='end'>{}</text>",
            LEFT - 6.0,
            y + 4.0,
            (millions * 100.0).round() / 100.0,
        );
    }
    for &count in threads {
        let (x, y) = (scale.x(count), HEIGHT - BOTTOM + 15.0);
        let _ = write!(svg, "<text x='{x:.1}' y='{y}' text-anchor='middle'>{count}</text>");
    }
    let (x, y) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 4.0);
    let _ = write!(svg, "<text x='{x}' y='{y}' text-anchor='middle'>threads</text>");
}

/// The line of one map, with what the rounds of each point were between.
fn draw_line(svg: &mut String, scale: &Scale, points: &[&Point], ours: bool, colour: &str) {
    let mut line = String::new();
    for point in points {
        let (x, y) = (scale.x(point.threads), scale.y(point.median / 1e6));
        let (low, high) = (scale.y(point.least / 1e6), scale.y((point.most / 1e6).min(scale.most)));
        let _ = write!(line, "{x:.1},{y:.1} ");
        let _ = write!(
            svg,
            "<line x1='{x:.1}' x2='{x:.1}' y1='{low:.1}' y2='{high:.1}' stroke='{colour}'/>\
             <circle cx='{x:.1}' cy='{y:.1}' r='{}' fill='{colour}'><title>{}, {} threads: {:.1} \
             million/s</title></circle>",
            if ours { 3.5 } else { 2.5 },
            point.map,
            point.threads,
            point.median / 1e6,
        );
    }
    let width = if ours { 2.5 } else { 1.5 };
    let _ = write!(
        svg,
        "<polyline points='{}' fill='none' stroke='{colour}' stroke-width='{width}'/>",
        line.trim_end()
    );
}

fn draw(panel: &Panel, points: &[&Point]) -> String {
    let scale = Scale::of(points);
    let mut threads: Vec<usize> = points.iter().map(|point| point.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{HEIGHT}'>\
         <text class='title' x='{LEFT}' y='16'>{}</text>",
        panel.workload
    );
    draw_grid(&mut svg, &scale, &threads);
    for (map, ours, colour) in colours(points) {
        let line: Vec<&Point> = points.iter().copied().filter(|point| point.map == map).collect();
        draw_line(&mut svg, &scale, &line, ours, colour);
    }
    svg + "</svg>\n"
}

/// The charts of one family and one kind of keys, with their key.
fn section(family: &str, keys: &str, points: &[&Point]) -> String {
    let title = if family == "hash" { "Hash tables" } else { "Ordered maps" };
    let mut text = format!("<h2>{title}, {keys} keys</h2><p>");
    for (map, _, colour) in colours(points) {
        let _ = write!(text, "<span class='key'><i style='background:{colour}'></i>{map}</span>");
    }
    text += "</p>\n<div>";
    let mut panels: Vec<&Panel> = points.iter().map(|point| &point.panel).collect();
    panels.dedup();
    for panel in panels {
        let of_panel: Vec<&Point> =
            points.iter().copied().filter(|point| point.panel == *panel).collect();
        text += &draw(panel, &of_panel);
    }
    text + "</div>\n"
}

/// The whole page; it needs nothing beside it.
pub fn page(machine: &str, points: &[Point]) -> String {
    let mut text = format!(
        "<!doctype html><meta charset='utf-8'><title>Throughput over threads</title>\
         <style>{STYLE}</style><h1>Throughput over threads</h1>\
         <p>Millions of operations per second, all threads together; median of the rounds, the bar \
         is from the slowest to the fastest. {machine}.</p>\n"
    );
    for keys in ["u64", "encoded"] {
        for family in ["hash", "ordered"] {
            let chosen: Vec<&Point> = points
                .iter()
                .filter(|point| point.panel.family == family && point.panel.keys == keys)
                .collect();
            if !chosen.is_empty() {
                text += &section(family, keys, &chosen);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(0.7, 1.0), (1.0, 1.0), (13.0, 20.0), (43.0, 50.0), (51.0, 100.0)] {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}");
        }
    }
}
