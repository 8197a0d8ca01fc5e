//! Comparison: what differs is found, what chance does is not, fio's files can be read.

use dray_results::{Basis, Comparison, Results, Verdict, View, compare};

use crate::made_up::{Shape, phase, run};

const THRESHOLD: f64 = 0.03;

fn view(label: &str, shapes: &[(&str, Shape)]) -> View {
    let phases = shapes.iter().map(|(name, shape)| phase(name, *shape)).collect();
    View::of(label, &Results::of_one(run("n1", phases)))
}

fn verdict(comparison: &Comparison, metric: &str) -> Verdict {
    let line = comparison.lines.iter().find(|it| it.metric == metric && it.direction == "read");
    line.unwrap_or_else(|| panic!("no {metric}")).verdict
}

fn shape(seed: u64) -> Shape {
    Shape { seconds: 30, rate: 500, seed, ..Shape::default() }
}

#[test]
fn alike_is_the_same() {
    let (a, b) = (view("a", &[("x", shape(1))]), view("b", &[("x", shape(2))]));
    let found = compare(&a, &b, THRESHOLD).unwrap();
    assert!(found.verdict <= Verdict::Unsure, "{found}");
    assert_eq!(verdict(&found, "IOPS"), Verdict::Same);
    assert!(found.lines.iter().all(|line| line.basis == Basis::Seconds));
    assert!(found.lines.iter().all(|line| line.metric != "response p99"), "a closed loop has none");
}

#[test]
fn slower_is_worse_and_faster_is_better() {
    let slow = Shape { latency: 90_000, rate: 450, ..shape(2) };
    let (a, b) = (view("a", &[("x", shape(1))]), view("b", &[("x", slow)]));
    let found = compare(&a, &b, THRESHOLD).unwrap();
    for metric in ["IOPS", "bandwidth", "service p50"] {
        assert_eq!(verdict(&found, metric), Verdict::Worse, "{metric}: {found}");
    }
    assert_eq!(found.verdict, Verdict::Worse);
    let (low, high) = found.lines[0].interval.expect("thirty seconds");
    assert!(low < -0.1 && -0.1 < high && high < -0.03, "{low} {high}");
    let back = compare(&b, &a, THRESHOLD).unwrap();
    assert_eq!(verdict(&back, "IOPS"), Verdict::Better);
}

/// Of sixty pairs that differ by chance alone, few are found to differ.
#[test]
fn chance_is_seldom_taken_for_a_difference() {
    let mut wrong = 0;
    for seed in 0..60 {
        let rounds = |from: u64| {
            let each: Vec<_> = (0..5)
                .map(|at| {
                    ("x", Shape { seconds: 1, rate: 50, ..shape(1000 * from + seed * 10 + at) })
                })
                .collect();
            view("rounds", &each)
        };
        let found = compare(&rounds(1), &rounds(2), 0.0).unwrap();
        let iops = found.lines.iter().find(|it| it.metric == "service mean").unwrap();
        assert_eq!(iops.basis, Basis::Rounds);
        wrong += usize::from(matches!(iops.verdict, Verdict::Worse | Verdict::Better));
    }
    assert!(wrong <= 9, "{wrong} of 60, where 3 are due");
}

#[test]
fn a_stall_shows_in_response_times_alone() {
    let open = Shape { open: true, ..shape(1) };
    let stalled = Shape { stall: Some(12), seed: 2, ..open };
    let found =
        compare(&view("a", &[("x", open)]), &view("b", &[("x", stalled)]), THRESHOLD).unwrap();
    assert_ne!(verdict(&found, "service p99.9"), Verdict::Worse, "{found}");
    let line = found.lines.iter().find(|it| it.metric == "response p99.9").unwrap();
    assert!(line.change > 10.0, "{found}");
}

#[test]
fn an_error_is_a_regression() {
    let a = view("a", &[("x", shape(1))]);
    let mut b = view("b", &[("x", shape(1))]);
    b.jobs[0].error = Some("read of 4096 bytes: Input/output error".into());
    let found = compare(&a, &b, THRESHOLD).unwrap();
    assert_eq!(found.verdict, Verdict::Worse);
    assert!(found.to_string().contains("x of b failed: read of 4096"), "{found}");
}

#[test]
fn phases_go_by_name() {
    let a = view("a", &[("x", shape(1)), ("y", shape(1))]);
    let b = view("b", &[("y", shape(1)), ("z", shape(1))]);
    let found = compare(&a, &b, THRESHOLD).unwrap();
    assert!(found.lines.iter().all(|line| line.phase == "y"));
    assert_eq!(found.notes, ["x is in a only", "z is in b only"]);
    assert_eq!(found.verdict, Verdict::Same);
    let c = view("c", &[("p", shape(1)), ("q", shape(1))]);
    assert!(compare(&a, &c, THRESHOLD).unwrap_err().to_string().contains("no phase in common"));
}

pub(crate) const FIO: &str = include_str!("samples/fio-3.33.json");

#[test]
fn fio_is_read_as_it_is() {
    let fio = View::from_json("fio", &format!("fio: a note\n{FIO}")).expect("fio's own file");
    assert_eq!(fio.program, "fio-3.33");
    let found = compare(&view("a", &[("x", shape(1))]), &fio, THRESHOLD).unwrap();
    let value: serde_json::Value = serde_json::from_str(FIO).unwrap();
    let read = &value["jobs"][0]["read"];
    let line = |metric: &str| {
        found.lines.iter().find(|it| it.metric == metric && it.direction == "read").unwrap()
    };
    assert_eq!(line("IOPS").b, read["iops"].as_f64().unwrap());
    assert_eq!(line("bandwidth").b, read["bw_bytes"].as_f64().unwrap());
    let p99 = read["clat_ns"]["percentile"]["99.000000"].as_f64().unwrap();
    assert_eq!(line("service p99").b, p99);
    assert!(found.lines.iter().all(|line| line.basis == Basis::Nothing));
    assert!(found.to_string().contains("nothing can be said of chance"), "{found}");
}

#[test]
fn what_is_no_result_is_refused() {
    for bad in ["", "no", "{}", "{\"fio version\": 3}", "{\"jobs\": []}"] {
        let why = View::from_json("bad", bad).expect_err(bad).to_string();
        assert!(why.contains("no JSON object of results"), "{bad}: {why}");
    }
}
