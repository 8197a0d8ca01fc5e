//! Programs as people run them: over released files they say what they said before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dray_e2e::{content, have, need_tool, skip, write_file, write_sparse};

use crate::scene::{KINDS, Scene};

const MIB: u64 = 1 << 20;
/// Rows of some 1,000 bytes in the database: `DRAY_RECALL_ROWS`; a million make 1 GiB.
const ROWS: u64 = 20_000;

/// A program, and what runs it in the directory. What it writes goes below `$OUT`, which is empty;
/// the original is in `$SAME`.
const PROGRAMS: [(&str, &str); 13] = [
    ("grep", "grep -rc needle . | sort; grep -rlz 'x.needle' . | sort"),
    ("tar", "tar --sort=name --exclude=./repository -cf - . | sha256sum"),
    (
        "tar",
        "tar --sort=name -cSf $OUT/t.tar . && tar -C $OUT -xf $OUT/t.tar && rm $OUT/t.tar; \
             diff -r . $OUT && echo same",
    ),
    ("rsync", "rsync -aHX ./ $OUT/ && diff -r $SAME $OUT && echo same"),
    ("rsync", "cp -a $SAME/. $OUT/ && rsync -aicS --no-times ./ $OUT/ && echo nothing to do"),
    ("cp", "cp -a --reflink=auto . $OUT/ && diff -r $SAME $OUT && echo same"),
    ("cp", "cp -r --sparse=always --reflink=never . $OUT/ && diff -r $SAME $OUT && echo same"),
    ("git", "cd repository && git fsck --full --strict && git log -p | sha256sum && git status -s"),
    (
        "git",
        "git clone -q --no-local repository $OUT/clone && diff repository/text $OUT/clone/text",
    ),
    ("sqlite3", "sqlite3 -readonly base.db < queries.sql"),
    ("sqlite3", "sqlite3 -readonly base.db 'pragma integrity_check; select sum(length(b)) from t'"),
    ("cc", "./program < large | sha256sum"),
    (
        "dd",
        "dd if=large bs=1M status=none | sha256sum; tail -c 70000 sparse | sha256sum; \
            cmp large $SAME/large && wc -c < many/100",
    ),
];

/// The directories of the test.
struct Ground {
    /// What the programs work on, never released.
    same: PathBuf,
    /// The same, managed.
    tree: PathBuf,
    scratch: PathBuf,
}

/// Where a program sees the files: at their place, or through another mount of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Plain,
    Bound,
}

impl Ground {
    /// What a script says that runs in this directory, and whether it succeeded.
    fn says(&self, script: &str, at: &Path, view: View) -> (bool, String) {
        let (out, bind) = (self.scratch.join("out"), self.scratch.join("bind"));
        fs::create_dir(&out).unwrap();
        let mut command = Command::new("sh");
        if view == View::Bound {
            command = Command::new("unshare");
            let bound = r#"mount --bind . "$BIND" && cd "$BIND" && exec sh -c "$1""#;
            command.args(["--mount", "sh", "-c", bound, "sh", script]);
        } else {
            command.args(["-c", script]);
        }
        command.current_dir(at).env("OUT", &out).env("SAME", &self.same).env("BIND", &bind);
        command.env("HOME", &self.scratch).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
        let output = command.env("GIT_OPTIONAL_LOCKS", "0").output().unwrap();
        fs::remove_dir_all(&out).unwrap();
        let said = [&output.stdout[..], b"\nstderr: ", &output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    #[track_caller]
    fn run(&self, script: &str) {
        let (done, said) = self.says(script, &self.same, View::Plain);
        assert!(done, "{said}");
    }

    /// Compares what a program says of resident files and of released ones.
    fn compare(&self, scene: &Scene, script: &str, view: View) {
        scene.put_away();
        assert_eq!(scene.word(&self.tree.join("large")), "released");
        let (done, said) = self.says(script, &self.tree, view);
        let wanted = self.says(script, &self.same, View::Plain);
        assert!(wanted.0, "{script}: {}", wanted.1);
        assert!((done, &said) == (true, &wanted.1), "{script} ({view:?}): {said}");
    }
}

/// Makes what the programs work on.
fn make(ground: &Ground) {
    let tree = &ground.same;
    fs::create_dir_all(tree.join("many")).unwrap();
    for number in 0..200_u64 {
        let mut bytes = content(number, 3000 + number * 331);
        if number % 7 == 0 {
            bytes.splice(2000..2000, *b"\nx needle\n");
        }
        fs::write(tree.join(format!("many/{number}")), bytes).unwrap();
    }
    // Found beyond the first block only.
    let text = "a line of text\n".repeat(50_000) + "a needle\n" + &"another line\n".repeat(1000);
    fs::write(tree.join("text"), text).unwrap();
    write_file(&tree.join("large"), 7, 24 * MIB + 77);
    write_sparse(&tree.join("sparse"), 8, 48 * MIB, &[(0, 9000), (20 * MIB, MIB), (47 * MIB, MIB)]);
    ground.run(
        "set -e; mkdir repository; cd repository; git init -q .; git config user.name a; \
         git config user.email a@b; for i in 1 2 3 4 5 6 7 8; do seq $i 20000 > text; \
         cp ../many/${i}0 .; git add .; git commit -qm $i; done; git gc -q; seq 9 40000 > text; \
         git add .; git commit -qm 9",
    );
    if have("cc") {
        let source = "#include <stdio.h>\nstatic char big[1 << 20] = {1};\nint main(void) {\n\
            int c; while ((c = getchar()) != EOF) putchar(c ^ big[c]); return 0; }\n";
        fs::write(ground.scratch.join("program.c"), source).unwrap();
        ground.run("cc -O1 -o program ../program.c");
    }
    if have("sqlite3") {
        base(ground);
    }
}

/// A database, and queries of rows here and there.
fn base(ground: &Ground) {
    let rows = std::env::var("DRAY_RECALL_ROWS").map_or(ROWS, |text| text.parse().unwrap());
    ground.run(&format!(
        "sqlite3 base.db \"create table t(a integer primary key, k integer, b text); \
         with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows}) \
         insert into t select i, (i * 7919) % 100003, hex(randomblob(500)) from n; \
         create index k on t(k)\""
    ));
    let queries = (0..400_u64).map(|at| {
        let row = (at * 2_654_435_761) % rows;
        let key = row % 100_003;
        format!(
            "select a, k, substr(b, 1, 40) from t where a = {row};\n\
             select count(*), max(b) from t where k = {key};\n"
        )
    });
    fs::write(ground.same.join("queries.sql"), queries.collect::<String>()).unwrap();
}

#[test]
fn programs_say_what_they_said_before() {
    let test = "programs_say_what_they_said_before";
    if !need_tool(test, "git") || !need_tool(test, "rsync") {
        return;
    }
    let made = tempfile::Builder::new().prefix("dray-e2e-programs-").tempdir().unwrap();
    let scratch = made.path().to_owned();
    for name in ["same", "bind"] {
        fs::create_dir(scratch.join(name)).unwrap();
    }
    let mut ground = Ground { same: scratch.join("same"), tree: PathBuf::new(), scratch };
    make(&ground);
    for (turn, kind) in KINDS.into_iter().enumerate() {
        let Some(scene) = Scene::new(test, kind) else { return };
        ground.tree = scene.file("tree");
        let copied = Command::new("cp").arg("-a").args([&ground.same, &ground.tree]).status();
        assert!(copied.unwrap().success());
        for (index, (program, script)) in PROGRAMS.into_iter().enumerate() {
            if !have(program) {
                skip(test, &format!("no {program}"));
                continue;
            }
            let view = if (turn + index) % 2 == 0 { View::Plain } else { View::Bound };
            println!("on {kind} ({view:?}): {script}");
            ground.compare(&scene, script, view);
        }
    }
}
