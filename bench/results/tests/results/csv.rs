//! CSV: one row per phase and direction, read back.

use dray_results::{Results, rows_from_csv};

use crate::made_up::{Shape, phase, run};

#[test]
fn read_back_it_is_the_same() {
    let open = phase("open, with \"quotes\"", Shape { open: true, ..Shape::default() });
    let mut run = run("n1", vec![phase("closed", Shape::default()), open]);
    run.partial = Some("interrupted".into());
    let text = Results::of_one(run.clone()).to_csv();
    let header = text.lines().next().unwrap();
    assert!(header.starts_with("host,phase,direction,started,runtime_s,ios,bytes,iops,"));
    assert!(header.split(',').all(|name| DOCUMENT.contains(&format!("`{name}`"))), "{header}");
    let rows = rows_from_csv(&text).expect("what was written");
    let names = |row: &dray_results::Row| (row.phase.clone(), row.direction.clone());
    let found: Vec<_> = rows.iter().map(names).collect();
    let expected = ["closed", "open, with \"quotes\""].into_iter().flat_map(|phase| {
        ["read", "write", "sync"].map(|kind| (phase.to_owned(), kind.to_owned()))
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
    let (row, read) = (&rows[3], &run.phases[1].total.read);
    assert_eq!((row.ios, row.bytes), (read.ios, read.bytes));
    assert_eq!(row.iops, read.ios as f64 / 12.0);
    assert_eq!(row.service_p999_ns, read.service.quantile(0.999));
    assert_eq!(row.response_max_ns, read.response().quantile(1.0));
    assert_eq!(row.target_rate, run.phases[1].target_rate);
    assert_eq!((rows[0].target_rate, row.partial.as_str()), (None, "interrupted"));
    assert!(row.options.contains("bs=4096"));
}

const DOCUMENT: &str = include_str!("../../../../docs/results.md");

#[test]
fn rubbish_is_refused() {
    let why = rows_from_csv("host,phase\nn1,x\n").expect_err("columns are missing").to_string();
    assert!(why.contains("no CSV of results"), "{why}");
}
