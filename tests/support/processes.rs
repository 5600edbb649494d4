//! Which processes did a run start, and are they gone? Children inherit the mark of their [`super::Place`].

use std::time::{Duration, Instant};

/// Process id and command line of everything alive that carries the mark.
pub fn marked(mark: &str) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|b| *b == 0).any(|pair| pair == mark.as_bytes()) {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

/// Everybody of the mark has ended, or ends within the patience.
#[track_caller]
pub fn assert_gone(mark: &str, patience: Duration) {
    let until = Instant::now() + patience;
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "still there after {patience:?}: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
