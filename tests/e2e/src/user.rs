//! Programs that use a file in some way while a test goes on.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A Python script that uses a file, its argument: it says `.` with a new line when it does so,
/// and again after each line that it is told, and ends with its input.
#[derive(Debug)]
pub struct User(Child);

impl User {
    /// Waits until it uses the file.
    #[track_caller]
    pub fn new(script: &str, path: &Path) -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut user = Self(command.spawn().expect("python3"));
        user.heard();
        user
    }

    /// Tells it a line, and waits for its answer.
    #[track_caller]
    pub fn go_on(&mut self) {
        self.0.stdin.as_mut().expect("its input").write_all(b"\n").expect("it listens");
        self.heard();
    }

    #[track_caller]
    fn heard(&mut self) {
        let mut said = [0; 2];
        self.0.stdout.as_mut().expect("its output").read_exact(&mut said).expect("it says");
        assert_eq!(said, *b".\n");
    }
}

impl Drop for User {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
